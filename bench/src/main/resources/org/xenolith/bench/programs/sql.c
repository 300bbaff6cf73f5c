/* SQLite in memory: inserts, an index, joins and aggregates. Linked with Debian's static libsqlite3.
 * SPDX-License-Identifier: Apache-2.0 */
#include "xbench.h"

#include <sqlite3.h>
#include <stdio.h>

static int row(void *sum, int columns, char **values, char **names) {
    (void) names;
    for (int i = 0; i < columns; i++)
        for (const char *c = values[i]; c && *c; c++) *(uint64_t *) sum = mix(*(uint64_t *) sum, (uint64_t) *c);
    return 0;
}

static void run(sqlite3 *db, const char *sql, uint64_t *sum) {
    if (sqlite3_exec(db, sql, row, sum, NULL) != SQLITE_OK) fail(sqlite3_errmsg(db));
}

static uint64_t sql_unit(void) {
    sqlite3 *db;
    uint64_t sum = 0, seed = 2;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) fail("cannot open a database");
    run(db, "create table guest (id integer primary key, name text, host int, memory int)", &sum);
    run(db, "begin", &sum);
    sqlite3_stmt *insert;
    if (sqlite3_prepare_v2(db, "insert into guest values (?, ?, ?, ?)", -1, &insert, NULL) != SQLITE_OK) {
        fail(sqlite3_errmsg(db));
    }
    for (int i = 0; i < 1000; i++) {
        char name[32];
        uint64_t r = next_random(&seed);
        snprintf(name, sizeof name, "vm-%u-%u", (unsigned) (r % 97), (unsigned) i);
        sqlite3_bind_int(insert, 1, i);
        sqlite3_bind_text(insert, 2, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int(insert, 3, (int) (r >> 40) % 16);
        sqlite3_bind_int(insert, 4, (int) (r >> 50) % 4096);
        if (sqlite3_step(insert) != SQLITE_DONE) fail(sqlite3_errmsg(db));
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    run(db, "commit", &sum);
    run(db, "create index by_memory on guest (memory)", &sum);
    run(db, "select host, count(*), sum(memory), max(name) from guest group by host order by 3 desc", &sum);
    run(db, "select count(*), avg(a.memory) from guest a join guest b on a.memory = b.memory and a.id < b.id", &sum);
    run(db, "update guest set name = upper(name) where memory between 1000 and 2000", &sum);
    run(db, "select name from guest where name like 'VM-1%' order by name limit 50", &sum);
    sqlite3_close(db);
    return sum;
}

const struct workload sql_workloads[] = {{"sql", sql_unit, NULL}, {NULL, NULL, NULL}};
