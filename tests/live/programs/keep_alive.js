// node's http with connections that stay, server and clients in one process; each answer is checked.
const http = require('http'), fs = require('fs');
const dir = process.env.STEP_DIR, agent = new http.Agent({keepAlive: true, maxSockets: 6});
const body = n => Buffer.alloc(1 + n * 977 % 200000, String(n) + ' ');
const ended = () => fs.existsSync(dir + '/end');

const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', part => parts.push(part));
    request.on('end', () => response.end(Buffer.concat(parts).reverse()));
});

function ask(port, n) {
    return new Promise((resolve, reject) => {
        const request = http.request({port, host: '127.0.0.1', method: 'POST', agent}, answer => {
            const parts = [];
            answer.on('data', part => parts.push(part));
            answer.on('end', () => Buffer.concat(parts).equals(body(n).reverse()) ? resolve() : reject(new Error('answer ' + n)));
            answer.on('error', reject);
        });
        request.on('error', reject);
        request.end(body(n));
    });
}

async function client(port, first) {
    for (let n = first; !ended(); n += 10)
        await ask(port, n);
}

// By default node ends a connection that is idle for 5 s, and time goes on while the program is not there.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', async () => {
    const port = server.address().port;
    const clients = [1, 2, 3, 4, 5, 6, 7, 8].map(n => client(port, n));
    fs.writeFileSync(dir + '/ready.new', '1');
    fs.renameSync(dir + '/ready.new', dir + '/ready');
    await Promise.all(clients);
    agent.destroy();
    server.close();
    console.log('all answers were right');
});
