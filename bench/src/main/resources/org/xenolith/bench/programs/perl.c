/* Perl: a script compiled and run in an embedded interpreter. Linked with Debian's static libperl.
 * SPDX-License-Identifier: Apache-2.0 */
#define PERL_NO_GET_CONTEXT
#include <EXTERN.h>
#include <perl.h>

/* Perl's headers rename much of the C library; ours come last and need none of it. */
#include "xbench.h"

enum { SIZE = 8 * 1024 };

/* Words counted and sorted, lines taken apart and put together by regular expressions, numbers formatted, objects. No
 * modules: a guest has none. */
static const char script[] =
    "my (%count, %by_length, @report);\n"
    "foreach my $line (split /\\n/, $main::text) {\n"
    "    $count{lc $1}++ while $line =~ /\\b([a-z]{2,})\\b/g;\n"
    "    if ($line =~ /^(\\w+)\\s+(.*?)(\\d+)\\b/) {\n"
    "        push @report, sprintf('%-12s|%5d|%s', $1, $3, ucfirst reverse $2);\n"
    "    }\n"
    "    (my $copy = $line) =~ s/(\\d)(\\w*)/'<' . $1 * 7 . uc($2) . '>'/ge;\n"
    "    $copy =~ tr/a-y/b-z/;\n"
    "    push @report, substr($copy, 0, 40);\n"
    "}\n"
    "push @{$by_length{length $_}}, $_ for sort keys %count;\n"
    "foreach my $length (sort { $a <=> $b } keys %by_length) {\n"
    "    my @words = sort { $count{$b} <=> $count{$a} || $a cmp $b } @{$by_length{$length}};\n"
    "    push @report, sprintf('%2d %s %.6f', $length, join(',', map { \"$_=$count{$_}\" } @words),\n"
    "        sqrt($length) * scalar(@words) / 3);\n"
    "}\n"
    "package Account;\n"
    "sub new { my ($class, %of) = @_; return bless {balance => 0, %of}, $class }\n"
    "sub add { my ($self, $amount) = @_; $self->{balance} += $amount; push @{$self->{log}}, $amount; return $self }\n"
    "package main;\n"
    "my $account = Account->new(name => 'guest');\n"
    "$account->add($_ % 17 - 8) for 1 .. 1000;\n"
    "push @report, join ' ', $account->{balance}, scalar @{$account->{log}}, pack('H*', '78656e');\n"
    "join \"\\n\", @report;\n";

static PerlInterpreter *perl;

static void perl_setup(void) {
    static char text[SIZE + 1];
    static char *arguments[] = {"perl", "-e", "0", NULL};
    static char **environment = NULL;
    char **argv = arguments;
    int argc = 3;
    /* What a user's environment asks for must not matter (PERL5OPT, locale), and the order of a hash's keys must not
       differ from run to run. */
    clearenv();
    setenv("PERL_HASH_SEED", "0", 1);
    setenv("PERL_PERTURB_KEYS", "0", 1);
    fill_text(text, SIZE, 77);
    PERL_SYS_INIT3(&argc, &argv, &environment);
    perl = perl_alloc();
    if (!perl) fail("perl_alloc");
    perl_construct(perl);
    if (perl_parse(perl, NULL, argc, argv, NULL) != 0 || perl_run(perl) != 0) fail("the interpreter does not start");
    dTHXa(perl);
    sv_setpvn(get_sv("main::text", GV_ADD), text, SIZE);
}

static uint64_t perl_unit(void) {
    dTHXa(perl);
    STRLEN length;
    ENTER;
    SAVETMPS;
    SV *result = eval_pv(script, FALSE);
    if (SvTRUE(ERRSV)) fail(SvPV_nolen(ERRSV));
    const char *report = SvPV(result, length);
    if (length < 1000) fail("the script's report is too short");
    uint64_t sum = mix_bytes(length, report, length);
    FREETMPS;
    LEAVE;
    return sum;
}

const struct workload perl_workloads[] = {{"perl", perl_unit, perl_setup}, {NULL, NULL, NULL}};
