<?php
// The language has no threads: processes, all at once.
$pipes = [];
$children = [];
for ($i = 1; $i <= 4; $i++) {
    $code = 'echo array_sum(range($argv[1], 1000, 4));';
    $children[] = proc_open([PHP_BINARY, '-r', $code, (string) $i], [1 => ['pipe', 'w']], $pipes[$i]);
}
$sum = 0;
foreach ($children as $i => $child) {
    $sum += (int) stream_get_contents($pipes[$i + 1][1]);
    proc_close($child);
}
echo "sum $sum\n";
