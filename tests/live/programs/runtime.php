<?php
// A generator, objects, and a child process with pipes.
$dir = getenv("STEP_DIR");
function step($n)
{
    global $dir;
    file_put_contents("$dir/ready.new", $n);
    rename("$dir/ready.new", "$dir/ready");
    while (!file_exists("$dir/go.$n")) {
        if (file_exists("$dir/end"))
            return false;
        usleep(2000);
        clearstatcache();
    }
    return true;
}
function fibonacci()
{
    for ([$a, $b] = [0, 1];; [$a, $b] = [$b, $a + $b])
        yield $a;
}
$numbers = fibonacci();
$child = proc_open("cat", [["pipe", "r"], ["pipe", "w"]], $pipes);
$words = [];
for ($n = 1; step($n); $n++) {
    for ($i = 0; $i < 20000; $i++)
        $words["$i-$n"] = new ArrayObject([$i, $n]);
    fwrite($pipes[0], "line $n\n");
    echo $n, " ", $numbers->current(), " ", count($words), " ", md5(serialize(array_slice($words, 5, 100))), " ", fgets($pipes[1]);
    $numbers->next();
}
fclose($pipes[0]);
proc_close($child);
