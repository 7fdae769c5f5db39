# An asyncio server that echoes, and clients that check what comes back: over connections that stay, and over one for each request. With "two", the
# server is a process of its own.
import asyncio, os, random, sys
import steps

END = os.environ["STEP_DIR"] + "/end"


async def serve(reader, writer):
    try:
        while head := await reader.read(4):
            while len(head) < 4:
                head += await reader.readexactly(4 - len(head))
            writer.write(head + await reader.readexactly(int.from_bytes(head, "big")))
            await writer.drain()
    finally:
        writer.close()


async def ask(reader, writer, source):
    said = source.randbytes(source.choice([1, 100, 5000, 300000]))
    writer.write(len(said).to_bytes(4, "big") + said)
    await writer.drain()
    assert await reader.readexactly(4 + len(said)) == len(said).to_bytes(4, "big") + said


async def stay(port, n):
    source = random.Random(n)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not os.path.exists(END):
        await ask(reader, writer, source)
    writer.close()


async def come_and_go(port, n):
    source = random.Random(n)
    while not os.path.exists(END):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await ask(reader, writer, source)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.005)


async def clients(port):
    tasks = [asyncio.create_task(stay(port, n)) for n in range(8)] + [asyncio.create_task(come_and_go(port, 100 + n)) for n in range(3)]
    await asyncio.sleep(0.2)
    await asyncio.to_thread(steps.step)
    await asyncio.gather(*tasks)


async def server_process(out):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    os.write(out, b"%d\n" % server.sockets[0].getsockname()[1])
    await asyncio.sleep(10**6)


async def one():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    await clients(server.sockets[0].getsockname()[1])


if sys.argv[1:] == ["two"]:
    in_, out = os.pipe()
    child = os.fork()
    if not child:
        asyncio.run(server_process(out))
    asyncio.run(clients(int(os.fdopen(in_).readline())))
    os.kill(child, 9)
    os.waitpid(child, 0)
else:
    asyncio.run(one())
print("all answers were right")
