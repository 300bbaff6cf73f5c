# Stress: what several processors at once must not break. Arguments: seconds, xstress. Prints PASS and FAILED lines of the
# tests, and at the end a COMPLAINT line for each of the kernel's. SPDX-License-Identifier: Apache-2.0
seconds=$1
xstress=$2
bb=/bin/busybox
tracing=/sys/kernel/tracing
$bb mount -t tracefs tracefs $tracing 2>/dev/null
echo "PROCESSORS $($bb nproc)"
# Where the kernel tells it: how long a processor may be silent.
echo 10 > /proc/sys/kernel/watchdog_thresh 2>/dev/null

quarter=$($bb awk "BEGIN { print $seconds / 4 }")
each=$($bb awk "BEGIN { print $seconds / 2 / $($xstress --list | $bb wc -l) }")

echo "PHASE one by one"
$xstress --seconds "$each" $($xstress --list)

# The kernel patches its own code while all processors run it: static keys, tracing of all functions, a probe.
patch_kernel() {
    rounds=0
    while [ ! -e /tmp/stop ]; do
        for value in 1 0; do
            echo $value > /proc/sys/kernel/sched_schedstats
        done
        if [ -e $tracing/current_tracer ] && [ $((rounds % 4)) = 0 ]; then
            # Not all functions: that is 40,000 patches, and their trace, which an interpreter needs minutes for.
            echo 'vfs_*' > $tracing/set_ftrace_filter
            echo function > $tracing/current_tracer
            echo nop > $tracing/current_tracer
        fi
        if [ -e $tracing/kprobe_events ]; then
            echo 'p:xstress/open do_sys_openat2' > $tracing/kprobe_events
            echo 1 > $tracing/events/xstress/enable
            : < /dev/null
            echo 0 > $tracing/events/xstress/enable
            echo > $tracing/kprobe_events
        fi
        rounds=$((rounds + 1))
    done 2> /tmp/patch.errors
    echo "PASS patch-kernel $rounds"
}

# Processors leave and come back. The kernel may refuse while somebody else holds the lock, never for good.
plug() {
    rounds=0
    while [ ! -e /tmp/stop ]; do
        for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
            echo 0 > "$cpu" || echo "FAILED plug cannot take $cpu away"
        done
        [ "$($bb nproc)" = 1 ] || echo "FAILED plug $($bb nproc) processors are left of 1"
        for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
            echo 1 > "$cpu" || echo "FAILED plug cannot bring $cpu back"
        done
        rounds=$((rounds + 1))
    done
    echo "PASS plug $rounds"
}

echo "PHASE all at once"
patch_kernel &
$xstress --seconds "$quarter" --together $($xstress --list)
: > /tmp/stop
wait
$bb rm /tmp/stop
echo "PHASE all at once, while processors come and go"
patch_kernel &
plug &
$xstress --seconds "$quarter" --together $($xstress --list)
: > /tmp/stop
wait
echo "PROCESSORS $($bb nproc)"
$bb dmesg | $bb grep -E 'detected stall|self-detected|soft lockup|LOCKUP|blocked for more than|BUG:|WARNING:|Oops|general protection|segfault|invalid opcode' \
    | $bb sed 's/^/COMPLAINT /'
$bb dmesg | $bb grep -E 'RIP: 0010' | $bb head -n 20
echo "STRESS END"
