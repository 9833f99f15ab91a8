const { spawn } = require('child_process');

let started = 0;
function next() {
  if (started++ === 200) {
    console.log('never refused');
    process.exit(1);
  }
  const child = spawn('sleep', ['30'], { stdio: 'ignore' });
  child.on('error', () => {
    console.log('refused');
    process.exit(0);
  });
  setImmediate(next);
}
next();
