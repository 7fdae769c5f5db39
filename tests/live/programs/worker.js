// A worker thread computes, main waits with timers and collects its messages; a file stays open.
const { Worker, isMainThread, parentPort } = require('worker_threads');
const crypto = require('crypto');
const fs = require('fs');

if (isMainThread)
    main();
else
    parentPort.on('message', (rounds) => {
        const memo = {};
        let state = 'seed' + rounds;
        for (let i = 0; i < rounds; i++) {
            state = crypto.createHash('sha256').update(state + i).digest('hex');
            memo[state.slice(0, 3)] = { state, i };
        }
        parentPort.postMessage(crypto.createHash('md5').update(JSON.stringify(memo)).digest('hex'));
    });

function step(number) {
    const dir = process.env.STEP_DIR;
    fs.writeFileSync(dir + '/ready.new', String(number));
    fs.renameSync(dir + '/ready.new', dir + '/ready');
    return new Promise((resolve) => {
        (function look() {
            if (fs.existsSync(dir + '/go.' + number)) resolve(true);
            else if (fs.existsSync(dir + '/end')) resolve(false);
            else setTimeout(look, 2);
        })();
    });
}

async function main() {
    const worker = new Worker(__filename);
    const progress = fs.openSync('progress', 'w');
    const results = [];
    let arrived = null;
    worker.on('message', (text) => {
        results.push(text);
        if (arrived) arrived();
    });
    for (let number = 1; ; number++) {
        worker.postMessage(8000 + number);
        const more = await step(number); // the worker computes meanwhile
        while (results.length < number)
            await new Promise((resolve) => { arrived = resolve; });
        const sync = await fs.promises.readFile(__filename, 'utf8'); // libuv's pool of threads
        fs.writeSync(progress, `${number} ${results[number - 1]} ${sync.length}\n`);
        fs.writeSync(1, `step ${number}\n`);
        if (!more) break;
    }
    fs.closeSync(progress);
    await worker.terminate();
}
