export {};
declare function require(name: string): any;
const fs = require('fs');

function parse(text: string): number[] {
  return text.split(/\s+/).filter((word) => word !== '').map(Number);
}

const values: number[] = parse(fs.readFileSync(0, 'utf8'));
values.sort((a, b) => a - b);
console.log('sum ' + values.reduce((a, b) => a + b, 0));
console.log(['sorted', ...values].join(' '));
fs.writeFileSync('out.txt', `count ${values.length}\n`);
