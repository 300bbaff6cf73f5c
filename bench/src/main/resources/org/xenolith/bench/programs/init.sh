#!/bin/busybox sh
# Init of the benchmark guest: says that it is there, runs the plan, powers off. SPDX-License-Identifier: Apache-2.0
echo "XENOLITH-BENCH INIT"
bb=/bin/busybox
export PATH=/bin XBENCH_BUSYBOX=$bb
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev 2>/dev/null
$bb mkdir -p /dev/shm
$bb mount -t tmpfs tmpfs /dev/shm
$bb mount -t tmpfs tmpfs /tmp
if [ -e /bench/plan ]; then
    read -r seconds < /bench/seconds
    read -r processors < /bench/processors
    while read -r name program; do
        echo "START $name"
        /bench/$program --seconds "$seconds" --processors "$processors" "$name" < /dev/null || echo "FAILED $name ended with status $?"
    done < /bench/plan
fi
[ -e /bench/check.sh ] && $bb sh /bench/check.sh /bench/xcheck $bb
if [ -e /bench/stress.sh ]; then
    read -r seconds < /bench/seconds
    $bb sh /bench/stress.sh "$seconds" /bench/xstress
fi
echo "XENOLITH-BENCH END"
$bb poweroff -f
