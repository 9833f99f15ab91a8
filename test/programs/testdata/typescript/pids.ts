export {};
declare function require(name: string): any;
declare const process: any;
declare function setImmediate(callback: () => void): void;
const { spawn } = require('child_process');

let started = 0;
function next(): void {
  if (started++ === 200) {
    console.log('never refused');
    process.exit(1);
  }
  spawn('sleep', ['30'], { stdio: 'ignore' }).on('error', () => {
    console.log('refused');
    process.exit(0);
  });
  setImmediate(next);
}
next();
