proc check {right part} {
    if {!$right} {
        error $part
    }
    puts "$part ok"
    flush stdout
}

check [expr {[exec sh -c "echo from a child"] eq "from a child"}] process

proc serve {channel host port} {
    puts $channel hello
    close $channel
}
proc answered {channel} {
    global answer
    gets $channel answer
}
set listening [socket -server serve -myaddr 127.0.0.1 0]
set client [socket 127.0.0.1 [lindex [fconfigure $listening -sockname] 2]]
fconfigure $client -blocking 0
fileevent $client readable {answered $client}
vwait answer
close $client
close $listening
check [expr {$answer eq "hello"}] socket

set out [file tempfile name]
puts -nonewline $out hello
close $out
set in [open $name]
check [expr {[read $in] eq "hello"}] file
close $in
file delete $name

check [expr {[encoding system] eq "utf-8" && [string toupper \u00e9] eq "\u00c9"}] locale

check [expr {[clock format 1700000000 -timezone :Asia/Tokyo -format "%Y-%m-%d %H:%M %Z"] eq "2023-11-15 07:13 JST"}] zone

set block [string repeat x [expr {96 << 20}]]
check [expr {[string length $block] == 96 << 20}] memory
