#!/xenolith/busybox sh
# First program of a guest that Xenolith made: prepares the system, runs a shell or one command on the console, and
# powers off. What to run is in /xenolith/session; what the host must hear goes through /xenolith/report.

PATH=/xenolith/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022

mkdir -p /proc /sys /dev /run /tmp /root
[ -e /proc/version ] || mount -t proc -o nosuid,nodev,noexec proc /proc
[ -e /sys/class ] || mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
[ -e /dev/kmsg ] || mount -t devtmpfs -o nosuid devtmpfs /dev
mkdir -p /dev/pts /dev/shm
[ -e /dev/pts/ptmx ] || mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /tmp
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run

/xenolith/settime

# The session sets: kind (shell, pipe, tty), rows, columns, term, name.
. /xenolith/session
hostname "$name"
ifconfig lo up 2> /dev/null

# The kernel lists its consoles; /dev/console is the last one.
read -r consoles < /sys/class/tty/console/active
tty=/dev/${consoles##* }

HOME=/root
TERM=$term
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/xenolith/bin
export HOME TERM
cd /root

tell() {
    /xenolith/report "xenolith-$1"
}

# A Xen console takes ^O for the SysRq key, and a second one for the character: the host must know.
tell_ready() {
    case $tty in
        /dev/hvc*) [ ! -e /proc/sysrq-trigger ] || { tell ready:sysrq; return; } ;;
    esac
    tell ready
}

# The host announces the size of its terminal in the xenstore node control/console-size ("rows columns"). A watch on it
# waits without costing anything. Messages of xenstore's wire protocol are four little-endian 32-bit words (type, request,
# transaction, length) and a body; types: 2 read, 4 watch, 15 watch event.
follow_size() {
    [ -c /dev/xen/xenbus ] || return 0
    exec 3<> /dev/xen/xenbus || return 0
    printf '\004\000\000\000\001\000\000\000\000\000\000\000\032\000\000\000control/console-size\000size\000' >&3
    while head=$(dd bs=16 count=1 <&3 2> /dev/null | od -An -tu4) && [ -n "$head" ]; do
        set -- $head
        body=
        [ "$4" -eq 0 ] || body=$(dd bs="$4" count=1 <&3 2> /dev/null | tr '\000' ' ')
        if [ "$1" = 15 ]; then
            printf '\002\000\000\000\002\000\000\000\000\000\000\000\025\000\000\000control/console-size\000' >&3
        elif [ "$1" = 2 ]; then
            set -- $body
            case ${1:-x}${2:-x} in
                *[!0-9]*) ;;
                *) stty rows "$1" cols "$2" < "$tty" ;;
            esac
        fi
    done
}

# A processor that is added while the guest runs is there, but offline, until a program says otherwise: udev in other systems.
follow_processors() {
    read -r possible < /sys/devices/system/cpu/possible
    [ "$possible" = 0 ] && return
    uevent sh -c '[ "$ACTION/$SUBSYSTEM" != add/cpu ] || echo 1 > "/sys$DEVPATH/online"' > /dev/null 2>&1 < /dev/null &
}

run_shell() {
    stty sane rows "$rows" cols "$columns" < "$tty"
    follow_size &
    tell_ready
    /xenolith/leader /xenolith/busybox sh -c "exec sh -l <> $tty >&0 2>&1"
}

run_tty() {
    stty sane rows "$rows" cols "$columns" < "$tty"
    follow_size &
    tell_ready
    /xenolith/leader /xenolith/busybox sh -c "exec sh /xenolith/command <> $tty >&0 2>&1"
    status=$?
    stty sane < "$tty"
    tell "exit:$status"
}

# Bytes pass unchanged: no output processing; input in lines that ^D ends, where ^V takes the next byte as it is. The host
# quotes (see ConsoleInput), so that any bytes and a true end of file reach the command through its pipes.
run_pipe() {
    stty sane -echo -isig -icrnl -ixon -opost erase undef kill undef werase undef rprnt undef eol undef eol2 undef < "$tty"
    mkfifo /run/input
    # Not cat: it has the kernel splice, and kernels before 6.5 hold the pipe's lock while they wait for the terminal, so
    # that the command gets a line only when the next one comes.
    dd bs=4096 < "$tty" > /run/input 2> /dev/null &
    tell_ready
    {
        /xenolith/leader /xenolith/busybox sh -c 'echo $$ > /run/command; exec sh /xenolith/command' < /run/input 2>&1
        echo $? > /run/status
        # What the command left running goes with it, so that the output ends.
        read -r group < /run/command
        kill -KILL -"$group" 2> /dev/null
    } | cat > "$tty"
    read -r status < /run/status
    # Setting a mode waits until all output has left the guest.
    stty -echo < "$tty"
    tell "exit:$status"
}

# The session runs in a child, because a signal handler of this shell runs only while it is in `wait`. The commands halt,
# poweroff and reboot of busybox send these signals to the first program.
leave() {
    trap '' USR1 USR2 TERM INT
    sync
    "$1" -f
}
trap 'leave halt' USR1
trap 'leave poweroff' USR2
trap 'leave reboot' TERM INT
follow_processors
run_"$kind" &
wait $!
leave poweroff
