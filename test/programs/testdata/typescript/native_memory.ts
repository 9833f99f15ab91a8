const blocks: Uint8Array[] = [];
for (;;) {
  blocks.push(new Uint8Array(1 << 20).fill(1));
}
