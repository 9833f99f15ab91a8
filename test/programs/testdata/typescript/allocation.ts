const blocks: number[][] = [];
for (let i = 0; i < 96; i++) {
  blocks.push(new Array<number>(1 << 17).fill(i + 0.5));
}
console.log(blocks.length + ' blocks');
