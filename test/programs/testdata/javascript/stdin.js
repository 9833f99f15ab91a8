const fs = require('fs');

const values = fs.readFileSync(0, 'utf8').split(/\s+/).filter(Boolean).map(Number);
values.sort((a, b) => a - b);
console.log('sum ' + values.reduce((a, b) => a + b, 0));
console.log(['sorted', ...values].join(' '));
fs.writeFileSync('out.txt', `count ${values.length}\n`);
