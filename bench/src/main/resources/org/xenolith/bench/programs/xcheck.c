/*
 * The accuracy programs, run on the host and in the guest, whose outputs must be equal to the byte:
 *     xcheck float          results of the C library and of the FPU, each with all its digits
 *     xcheck generate N     N MiB of generated data on standard output
 *     xcheck clock          wall clock and monotonic clock in nanoseconds
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "xbench.h"

#include <emmintrin.h>
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed = 20251;

static double random_double(int exponent_range) {
    uint64_t r = next_random(&seed);
    double mantissa = 1.0 + (double) (r >> 12) * 0x1p-52;
    int exponent = (int) ((r & 0xfff) % (unsigned) (2 * exponent_range + 1)) - exponent_range;
    return ldexp(r & 0x1000 ? -mantissa : mantissa, exponent);
}

static void show(const char *name, double x, double result) {
    printf("%s %.17g %.17g\n", name, x, result);
}

static void one_argument(const char *name, double (*f)(double), int exponent_range, int positive, int count) {
    for (int i = 0; i < count; i++) {
        double x = random_double(exponent_range);
        if (positive) x = fabs(x);
        show(name, x, f(x));
    }
}

static void two_arguments(const char *name, double (*f)(double, double), int exponent_range, int positive, int count) {
    for (int i = 0; i < count; i++) {
        double x = random_double(exponent_range), y = random_double(exponent_range);
        if (positive) x = fabs(x);
        printf("%s %.17g %.17g %.17g\n", name, x, y, f(x, y));
    }
}

static double divide(double x, double y) { return x / y; }
static double multiply(double x, double y) { return x * y; }
static double add(double x, double y) { return x + y; }

static void functions(void) {
    one_argument("sin", sin, 20, 0, 60);
    one_argument("sin", sin, 500, 0, 20);
    one_argument("cos", cos, 20, 0, 60);
    one_argument("tan", tan, 20, 0, 40);
    one_argument("atan", atan, 20, 0, 40);
    one_argument("exp", exp, 8, 0, 60);
    one_argument("exp2", exp2, 8, 0, 30);
    one_argument("expm1", expm1, 5, 0, 30);
    one_argument("log", log, 300, 1, 60);
    one_argument("log2", log2, 300, 1, 30);
    one_argument("log10", log10, 300, 1, 30);
    one_argument("log1p", log1p, 10, 1, 30);
    one_argument("sqrt", sqrt, 1000, 1, 60);
    one_argument("cbrt", cbrt, 500, 0, 30);
    one_argument("sinh", sinh, 7, 0, 30);
    one_argument("tanh", tanh, 5, 0, 30);
    one_argument("erf", erf, 3, 0, 30);
    one_argument("tgamma", tgamma, 4, 1, 30);
    one_argument("floor", floor, 60, 0, 20);
    one_argument("rint", rint, 60, 0, 20);
    two_arguments("pow", pow, 5, 1, 80);
    two_arguments("fmod", fmod, 80, 0, 40);
    two_arguments("hypot", hypot, 300, 0, 30);
    two_arguments("atan2", atan2, 30, 0, 40);
    two_arguments("add", add, 60, 0, 40);
    two_arguments("mul", multiply, 700, 0, 60);
    two_arguments("div", divide, 700, 0, 60);
}

static void special_values(void) {
    static const double values[] = {0.0, -0.0, 1.0, -1.0, 0.1, INFINITY, -INFINITY, NAN, DBL_MAX, DBL_MIN, 0x1p-1074,
        0x1.fffffffffffffp-1023, -0x1p-1060, 0x1p52, 0x1.8p53, 2147483648.5, -9223372036854775808.0, 1e300};
    enum { COUNT = sizeof values / sizeof values[0] };
    for (int i = 0; i < COUNT; i++) {
        volatile double x = values[i];
        printf("special %.17g sqrt %.17g half %.17g float %.9g int %d long %ld\n", x, sqrt(x), x * 0.5,
            (double) (float) x, _mm_cvtsd_si32(_mm_set_sd(x)), (long) _mm_cvttsd_si64(_mm_set_sd(x)));
        for (int j = 0; j < COUNT; j++) {
            volatile double y = values[j];
            printf("pair %.17g %.17g: %.17g %.17g %.17g %.17g %d%d%d\n", x, y, x + y, x - y, x * y, x / y, x < y,
                x == y, x != y);
        }
    }
}

static void denormals(void) {
    volatile double x = 1e-300;
    for (int i = 0; i < 40; i++) {
        x = x * 0.37;
        printf("denormal %.17g %a %.17g\n", x, x, x / 3.0);
    }
    volatile float f = 1e-30f;
    for (int i = 0; i < 40; i++) {
        f = f * 0.41f;
        printf("denormal float %.9g %.17g\n", (double) f, (double) f * 1e10);
    }
}

static void long_doubles(void) {
    for (int i = 0; i < 60; i++) {
        volatile long double x = (long double) random_double(40) + (long double) random_double(40) * 0x1p-60L;
        volatile long double y = (long double) random_double(40) * 0x1.8p-3L;
        printf("extended %.21Lg %.21Lg: %.21Lg %.21Lg %.21Lg %.21Lg %.21Lg\n", x, y, x + y, x * y, x / y,
            sqrtl(fabsl(x)), fmodl(x, y));
        /* The x87 leaves the last bit of transcendental functions to the processor: makers differ, and so do digits 18
           and on. */
        printf("extended %.21Lg sin %.17Lg atan %.17Lg exp %.17Lg log %.17Lg to double %.17g to int %ld\n", x,
            sinl(x), atanl(x), expl(fmodl(x, 50)), logl(fabsl(x)), (double) x, (long) x);
    }
    static const long double edges[] = {LDBL_MAX, LDBL_MIN, 0x1p-16445L, -0x1p-16400L, 0x1p63L, -0x1p63L, 0x1.8p64L};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        volatile long double x = edges[i];
        printf("extended edge %.21Lg %.21Lg %.21Lg %.17g\n", x, x * 0.75L, x / 7.0L, (double) x);
    }
}

static void conversions(void) {
    static const char *const texts[] = {"0.1", "1e-310", "4.9406564584124654e-324", "2.4703282292062327e-324",
        "1.7976931348623158e308", "1.7976931348623159e308", "3.14159265358979323846264338327950288", "1e23",
        "9007199254740993", "0x1.8p-1074", "123456789012345678901234567890", "2.2250738585072011e-308", "inf",
        "nan", "-0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        printf("strtod %s %.17g %.9g %.21Lg\n", texts[i], strtod(texts[i], NULL), (double) strtof(texts[i], NULL),
            strtold(texts[i], NULL));
    }
    for (int i = 0; i < 60; i++) {
        uint64_t r = next_random(&seed);
        volatile uint64_t u = r >> (i % 40);
        volatile int64_t s = (int64_t) r >> (i % 50);
        volatile float f = (float) random_double(30);
        printf("convert %.17g %.17g %.9g %.9g %.21Lg %.17g %ld %lu\n", (double) u, (double) s, (double) (float) u,
            (double) (float) s, (long double) u, (double) f, (long) f, (unsigned long) fabsf(f));
        char text[64];
        double x = random_double(900);
        snprintf(text, sizeof text, "%.17g", x);
        printf("round trip %s %d %.3f %.10e %g\n", text, strtod(text, NULL) == x, fmod(x, 1e6), x, x);
    }
}

static void rounding_modes(void) {
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    for (int m = 0; m < 4; m++) {
        fesetround(modes[m]);
        for (int i = 0; i < 15; i++) {
            volatile double x = random_double(10), y = random_double(10);
            volatile float f = (float) x;
            volatile long double e = x;
            volatile double sum = x + y, product = x * y, quotient = x / y;
            volatile float single = f / 3.0f;
            volatile long double third = e / 3.0L;
            long nearest = lrint(x);
            fesetround(FE_TONEAREST);
            printf("round %d %.17g %.17g %.17g %.9g %.21Lg %ld\n", m, sum, product, quotient, (double) single, third,
                nearest);
            fesetround(modes[m]);
        }
    }
    fesetround(FE_TONEAREST);
}

static void exception_flags(void) {
    struct {
        const char *name;
        double x, y;
    } cases[] = {{"exact", 6, 2}, {"inexact", 1, 3}, {"zero", 1, 0}, {"invalid", 0, 0}, {"overflow", DBL_MAX, 0.25},
        {"underflow", DBL_MIN, 3}, {"denormal", 0x1p-1070, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        volatile double x = cases[i].x, y = cases[i].y;
        volatile long double ex = x, ey = y;
        feclearexcept(FE_ALL_EXCEPT);
        volatile double quotient = x / y;
        int sse = fetestexcept(FE_ALL_EXCEPT);
        feclearexcept(FE_ALL_EXCEPT);
        volatile long double extended = ex / ey;
        int x87 = fetestexcept(FE_ALL_EXCEPT);
        printf("flags %s %.17g %#x %.21Lg %#x\n", cases[i].name, quotient, sse, extended, x87);
    }
}

/* A chaotic map and a long sum: one wrong bit anywhere shows in the last digits. */
static void long_runs(void) {
    double x = 0.4, sum = 0;
    float f = 0.4f;
    long double e = 0.4L;
    for (int i = 1; i <= 50000; i++) {
        x = 3.9 * x * (1 - x);
        f = 3.9f * f * (1 - f);
        e = 3.9L * e * (1 - e);
        sum += x / i;
        if (i % 5000 == 0) printf("chaos %d %.17g %.9g %.21Lg %.17g\n", i, x, (double) f, e, sum);
    }
}

static int generate(long mebibytes) {
    static uint64_t block[8192];
    uint64_t state = 0xfeedface;
    for (long i = 0; i < mebibytes * 16; i++) {
        for (size_t j = 0; j < 8192; j++) block[j] = next_random(&state);
        for (size_t done = 0; done < sizeof block;) {
            ssize_t n = write(1, (char *) block + done, sizeof block - done);
            if (n <= 0) return 1;
            done += (size_t) n;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "float") == 0) {
        functions();
        special_values();
        denormals();
        long_doubles();
        conversions();
        rounding_modes();
        exception_flags();
        long_runs();
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "generate") == 0) return generate(atol(argv[2]));
    if (argc == 2 && strcmp(argv[1], "clock") == 0) {
        struct timespec wall, mono;
        clock_gettime(CLOCK_REALTIME, &wall);
        clock_gettime(CLOCK_MONOTONIC, &mono);
        printf("CLOCK %lld.%09ld %lld.%09ld\n", (long long) wall.tv_sec, wall.tv_nsec, (long long) mono.tv_sec,
            mono.tv_nsec);
        return 0;
    }
    fprintf(stderr, "usage: xcheck float | generate N | clock\n");
    return 2;
}
