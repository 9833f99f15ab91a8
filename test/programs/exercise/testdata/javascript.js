const { Worker, isMainThread, parentPort } = require('worker_threads');
const { execSync, fork } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');

function check(right, part) {
  if (!right) throw new Error(part);
  console.log(part + ' ok');
}

function worker() {
  return new Promise((done, fail) => new Worker(__filename).on('message', done).on('error', fail));
}

async function threads() {
  const all = await Promise.all([worker(), worker()]);
  return all[0] + all[1] === 2;
}

function forked() {
  return new Promise((done) => fork(__filename, ['child']).on('message', done));
}

async function subprocess() {
  return execSync('echo from a child').toString() === 'from a child\n' && (await forked()) === 'forked';
}

function socket() {
  return new Promise((done) => {
    const server = net.createServer((served) => served.end('hello'));
    server.listen(0, '127.0.0.1', () => {
      net.connect(server.address().port, '127.0.0.1').on('data', (text) => {
        server.close();
        done(text.toString() === 'hello');
      });
    });
  });
}

async function file() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'exercise-'));
  await fs.promises.writeFile(dir + '/a.txt', 'hello');
  const text = await fs.promises.readFile(dir + '/a.txt', 'utf8');
  fs.rmSync(dir, { recursive: true });
  return text === 'hello';
}

function locale() {
  return 'é'.toLocaleUpperCase() === 'É' && (1234.5).toLocaleString('de-DE') === '1.234,5';
}

function zone() {
  return new Date(1700000000000).toLocaleString('en-GB', { timeZone: 'Asia/Tokyo' }) === '15/11/2023, 07:13:20';
}

function memory() {
  const block = Buffer.alloc(96 << 20, 1);
  return block[block.length - 1] === 1;
}

async function main() {
  check(await threads(), 'threads');
  check(await subprocess(), 'process');
  check(await socket(), 'socket');
  check(await file(), 'file');
  check(locale(), 'locale');
  check(zone(), 'zone');
  check(memory(), 'memory');
}

if (!isMainThread) parentPort.postMessage(1);
else if (process.argv[2] === 'child') process.send('forked');
else main();
