<?php
function check(bool $right, string $part): void
{
    if (!$right) {
        throw new RuntimeException($part);
    }
    echo "$part ok\n";
}

$child = proc_open(['sh', '-c', 'echo from a child'], [1 => ['pipe', 'w']], $pipes);
$text = stream_get_contents($pipes[1]);
check(proc_close($child) === 0 && $text === "from a child\n" && shell_exec('echo again') === "again\n", 'process');

$listening = stream_socket_server('tcp://127.0.0.1:0');
$client = stream_socket_client('tcp://' . stream_socket_get_name($listening, false));
fwrite(stream_socket_accept($listening), "hello\n");
check(fgets($client) === "hello\n", 'socket');

$name = tempnam(sys_get_temp_dir(), 'exercise');
file_put_contents($name, 'hello', LOCK_EX);
check(file_get_contents($name) === 'hello' && unlink($name), 'file');

check(setlocale(LC_ALL, '0') !== false && setlocale(LC_ALL, '') === 'C.UTF-8', 'locale');

$moment = (new DateTimeImmutable('@1700000000'))->setTimezone(new DateTimeZone('Asia/Tokyo'));
check($moment->format('Y-m-d H:i T') === '2023-11-15 07:13 JST', 'zone');

check(strlen(str_repeat('x', 96 << 20)) === 96 << 20, 'memory');
