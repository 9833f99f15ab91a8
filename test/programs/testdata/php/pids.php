<?php
$children = [];
for ($i = 0; $i < 200; $i++) {
    $child = @proc_open(['sleep', '30'], [], $pipes);
    if ($child === false) {
        echo "refused\n";
        exit(0);
    }
    $children[] = $child;
}
echo "never refused\n";
exit(1);
