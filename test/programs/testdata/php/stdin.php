<?php
$values = array_map('intval', preg_split('/\s+/', stream_get_contents(STDIN), -1, PREG_SPLIT_NO_EMPTY));
sort($values);
echo 'sum ', array_sum($values), "\n";
echo 'sorted ', implode(' ', $values), "\n";
file_put_contents('out.txt', 'count ' . count($values) . "\n");
