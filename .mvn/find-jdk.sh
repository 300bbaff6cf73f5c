# Sourced by ./build and ./xeno (POSIX sh): exports JAVA_HOME of a JDK 25 or later, or says how to get one.

# A JDK names its version in a file, so that looking at twenty of them starts no process.
xeno_is_jdk25() {
    [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 1
    xeno_version=
    while IFS= read -r xeno_line; do
        case $xeno_line in
            JAVA_VERSION=*) xeno_version=${xeno_line#JAVA_VERSION=\"}; break ;;
        esac
    done < "$1/release"
    xeno_version=${xeno_version%%[!0-9]*}
    [ -n "$xeno_version" ] && [ "$xeno_version" -ge 25 ]
}

xeno_find_jdk() {
    for xeno_home in "${XENOLITH_JAVA_HOME:-}" "${JAVA_HOME:-}" \
        /usr/lib/jvm/*25* /usr/lib/jvm/* /opt/*jdk* /opt/java/* \
        "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* "$HOME"/.asdf/installs/java/* \
        /Library/Java/JavaVirtualMachines/*/Contents/Home; do
        if [ -n "$xeno_home" ] && xeno_is_jdk25 "$xeno_home"; then
            JAVA_HOME=$xeno_home
            export JAVA_HOME
            return 0
        fi
    done
    if [ -x /usr/libexec/java_home ] && xeno_home=$(/usr/libexec/java_home -v 25+ 2>/dev/null) \
        && xeno_is_jdk25 "$xeno_home"; then
        JAVA_HOME=$xeno_home
        export JAVA_HOME
        return 0
    fi
    if xeno_home=$(command -v javac 2>/dev/null); then
        while [ -L "$xeno_home" ]; do
            xeno_link=$(readlink "$xeno_home")
            case $xeno_link in
                /*) xeno_home=$xeno_link ;;
                *) xeno_home=${xeno_home%/*}/$xeno_link ;;
            esac
        done
        xeno_home=${xeno_home%/bin/javac}
        if xeno_is_jdk25 "$xeno_home"; then
            JAVA_HOME=$xeno_home
            export JAVA_HOME
            return 0
        fi
    fi
    echo "xeno: needs JDK 25 and found none: install package temurin-25-jdk or openjdk-25-jdk, or set XENOLITH_JAVA_HOME" >&2
    return 1
}
