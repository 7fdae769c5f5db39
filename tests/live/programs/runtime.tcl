# The event loop with a timer and a channel, a coroutine, and a thread of Tcl's notifier.
set dir $env(STEP_DIR)
proc step {n} {
    global dir
    set f [open $dir/ready.new w]
    puts -nonewline $f $n
    close $f
    file rename -force $dir/ready.new $dir/ready
    while {![file exists $dir/go.$n]} {
        if {[file exists $dir/end]} { return 0 }
        after 2 set woken 1
        vwait woken
    }
    return 1
}
proc fibonacci {} {
    yield
    lassign {0 1} a b
    while 1 {
        yield $a
        lassign [list $b [expr {$a + $b}]] a b
    }
}
coroutine numbers fibonacci
set cat [open "|cat" r+]
fconfigure $cat -buffering line -blocking 0
fileevent $cat readable {set line [gets $cat]}
set n 1
while {[step $n]} {
    for {set i 0} {$i < 5000} {incr i} { dict set words $i-$n [expr {$i ** $n}] }
    puts $cat "line $n"
    vwait line
    puts "$n [numbers] [dict size $words] [dict get $words 77-$n] $line"
    incr n
}
close $cat
