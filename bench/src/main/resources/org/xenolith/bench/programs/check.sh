# Accuracy: run with busybox sh on the host and in the guest; arguments: xcheck, busybox. The text between OUTPUT and
# STATUS must be equal to the byte. SPDX-License-Identifier: Apache-2.0
xcheck=$1
bb=$2
mebibytes=${3:-100}
nap=${4:-10}
# The C library picks its mathematics by CPU features, and the last bit may depend on a fused multiply-add.
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4 LC_ALL=C TZ=UTC

echo "BEGIN clock"
$xcheck clock
echo "DATE $($bb date +%s)"

echo "BEGIN sleep"
$bb sleep $nap
echo "SLEPT"
echo "FREE $($bb awk '/^MemFree/ { print $2 }' /proc/meminfo)"
$xcheck clock

echo "OUTPUT float"
$xcheck float
echo "STATUS float $?"

echo "OUTPUT sha256"
$xcheck generate $mebibytes | $bb sha256sum
echo "STATUS sha256 $?"

echo "OUTPUT busybox"
$xcheck generate 1 > /tmp/xcheck.$$
for sum in md5sum sha1sum sha256sum sha512sum sha3sum crc32; do $bb $sum < /tmp/xcheck.$$; done
$bb gzip -c < /tmp/xcheck.$$ | $bb gunzip -c | $bb sha256sum
$bb bzip2 -c < /tmp/xcheck.$$ | $bb sha256sum
$bb xxd < /tmp/xcheck.$$ | $bb sort -k 3 | $bb sha256sum
$bb base64 < /tmp/xcheck.$$ | $bb tr a-z A-Z | $bb sha256sum
$bb dd if=/tmp/xcheck.$$ bs=1000 skip=3 count=5 2>/dev/null | $bb od -A d -t x1 | $bb sha256sum
$bb rm -f /tmp/xcheck.$$
$bb awk 'BEGIN { for (i = 0; i < 20000; i++) { s += i * 1.1; n[i % 13] += s } for (i = 0; i < 13; i++) print i, n[i] }'
$bb seq 1 0.1 10 | $bb awk '{ t += $1 } END { print t }'
$bb printf '%e %f %g %x %o\n' 1.5e10 2.25 1e-5 255 8
$bb expr 123456789 '*' 987654321
echo '2 100 ^ p 7 k 2 v p' | $bb dc
echo 'scale=40; 4*a(1); e(1); s(2)/7' | $bb bc -l
$bb factor 1000000016000000063 600851475143
$bb date -u -d @1234567890
$bb cal 2 2024
i=0; s=1; while [ $i -lt 2000 ]; do i=$((i + 1)); s=$(((s * 6364136223846793005 + i) >> 1)); done; echo $s
echo "STATUS busybox $?"
