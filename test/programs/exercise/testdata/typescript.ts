export {};
declare function require(name: string): any;
declare const __filename: string;
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { spawn } = require('child_process');
const fs = require('fs');
const http = require('http');
const os = require('os');

function check(right: boolean, part: string): void {
  if (!right) throw new Error(part);
  console.log(part + ' ok');
}

function threads(): Promise<boolean> {
  return new Promise((done) => new Worker(__filename).on('message', (n: number) => done(n === 1)));
}

function subprocess(): Promise<boolean> {
  return new Promise((done) => {
    let text = '';
    const child = spawn('sh', ['-c', 'echo from a child']);
    child.stdout.on('data', (part: object) => (text += part));
    child.on('close', (code: number) => done(code === 0 && text === 'from a child\n'));
  });
}

function socket(): Promise<boolean> {
  return new Promise((done) => {
    const server = http.createServer((_: object, answer: any) => answer.end('hello'));
    server.listen(0, '127.0.0.1', () => {
      http.get({ port: server.address().port, host: '127.0.0.1', agent: false }, (answer: any) => {
        answer.on('data', (text: object) => {
          server.close();
          done(`${text}` === 'hello');
        });
      });
    });
  });
}

function file(): boolean {
  const dir: string = fs.mkdtempSync(os.tmpdir() + '/exercise-');
  fs.writeFileSync(dir + '/a.txt', 'hello');
  const text: string = fs.readFileSync(dir + '/a.txt', 'utf8');
  fs.rmSync(dir, { recursive: true });
  return text === 'hello';
}

function locale(): boolean {
  return 'é'.toLocaleUpperCase() === 'É' && (1234.5).toLocaleString('de-DE') === '1.234,5';
}

function zone(): boolean {
  return new Date(1700000000000).toLocaleString('en-GB', { timeZone: 'Asia/Tokyo' }) === '15/11/2023, 07:13:20';
}

function memory(): boolean {
  const block = new Uint8Array(96 << 20).fill(1);
  return block[block.length - 1] === 1;
}

async function main(): Promise<void> {
  check(await threads(), 'threads');
  check(await subprocess(), 'process');
  check(await socket(), 'socket');
  check(file(), 'file');
  check(locale(), 'locale');
  check(zone(), 'zone');
  check(memory(), 'memory');
}

if (isMainThread) main();
else parentPort.postMessage(1);
