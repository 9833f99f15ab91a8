const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

if (isMainThread) {
  let sum = 0;
  let left = 4;
  for (let i = 1; i <= 4; i++) {
    const worker = new Worker(__filename, { workerData: i });
    worker.on('message', (part) => {
      sum += part;
      if (--left === 0) {
        console.log('sum ' + sum);
      }
    });
  }
} else {
  let part = 0;
  for (let n = workerData; n <= 1000; n += 4) {
    part += n;
  }
  parentPort.postMessage(part);
}
