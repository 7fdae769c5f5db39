# Text work with a big hash, sorted, and a file that stays open; a sub-second sleep by select.
use strict;
use warnings;

my $dir = $ENV{STEP_DIR};

sub step {
    my $number = shift;
    open(my $ready, '>', "$dir/ready.new") or die;
    print $ready $number;
    close($ready);
    rename("$dir/ready.new", "$dir/ready") or die;
    while (1) {
        return 1 if -e "$dir/go.$number";
        return 0 if -e "$dir/end";
        select(undef, undef, undef, 0.002);
    }
}

my %count;
my $random = 1;
open(my $progress, '>', 'progress') or die;
$| = 1;
for (my $number = 1; ; $number++) {
    for (1 .. 10000) {
        $random = ($random * 1103515245 + 12345) % 2147483648;
        my $word = sprintf('%x', $random >> 16);
        $word =~ s/([a-f]+)/<$1>/g;
        $count{$word}++;
    }
    my $more = step($number);
    my @top = (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 9];
    print $progress "$number $_ $count{$_}\n" for @top;
    print "step $number, pid ", ($$ > 0 ? 'known' : 'lost'), "\n";
    last unless $more;
}
close($progress) or die;
