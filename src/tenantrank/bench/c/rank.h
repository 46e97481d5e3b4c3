/* What an implementation in C is given and what it gives. `tenantrank.bench.peers.c_files` holds the same in Python.
 *
 * A file defines three functions:
 *
 *   void *prepare(const catalog *offers);
 *       Makes whatever depends on the catalog alone; the columns stay valid until `release`. NULL where there is no
 *       memory.
 *   int rank_policies(const void *prepared, const policy *policies, int64_t count, const step *steps,
 *                     const part *parts, int32_t *rows, double *scores, int64_t k);
 *       Ranks every policy. rows and scores are (count, k), filled from the left, best first: score descending, ties by
 *       row; they hold -1 and NaN beforehand. May be called from several threads at once. 0, or 1 where there is no
 *       memory.
 *   void release(void *prepared);
 *
 * and may define a fourth, called once before anything is ranked, as the engine compiles a policy once:
 *
 *   void bind_policies(const void *prepared, const policy *policies, int64_t count, step *steps, part *parts);
 *       Finds what depends on a policy's constants and the catalog's values, and writes it to the fields that are said
 *       to be the file's own.
 *
 * Answers are exact: IEEE doubles, each operation rounded, no contraction, sums from left to right starting at 0. No
 * survivor has an infinite value in a field of its policy's parts.
 */
#ifndef TENANTRANK_BENCH_RANK_H
#define TENANTRANK_BENCH_RANK_H

#include <stdint.h>

typedef struct {
    int64_t offers;
    const double *const *numbers; /* columns of numbers, none of them NaN */
    const uint8_t *const *flags;  /* columns of 0 and 1 */
    const uint8_t *providers;     /* codes below 64 */
    int64_t number_columns, flag_columns;
} catalog;

enum { AT_MOST, AT_LEAST, IS, AMONG };      /* what a step tests */
enum { SET, AND, OR };                      /* how it joins its level's mask */
enum { LEAF, FOLD };                        /* a fold joins the level above it, and tests nothing */

/* One step of a filter. Levels hold masks; level 0 ends as the filter. */
typedef struct {
    int32_t kind, test, column, negated, join, level;
    double bound;       /* of AT_MOST and AT_LEAST */
    uint64_t providers; /* of AMONG: a bit a code */
    int64_t cut;        /* the file's own */
} step;

/* One part of a score: weight times the survivors' values of a column, rescaled to 0..1, and 1 minus that if reversed. */
typedef struct {
    int32_t column, reversed;
    double weight;
    int64_t first, stop; /* the file's own */
} part;

/* One policy: its steps and its parts, from the first to the last, the last not included. */
typedef struct {
    int64_t first_step, last_step, first_part, last_part;
} policy;

#endif
