<?php
$blocks = [];
for ($i = 0; $i < 96; $i++) {
    $blocks[] = str_repeat('x', (1 << 20) - 64);
}
echo count($blocks), " blocks\n";
