/* An exact scan of columns of doubles: what a C programmer writes who lets the compiler find the vector instructions.
 *
 * A filter makes one mask of bytes, column after column; the survivors are gathered; least and greatest, scores and the
 * best follow over the gathered values.
 */
#include "rank.h"

#include <stdlib.h>
#include <string.h>

enum { LEVELS = 8, LANES = 8 };

typedef struct {
    uint8_t *masks[LEVELS];
    int32_t *survivors;
    double *values, *scores;
} scratch;

void *prepare(const catalog *offers)
{
    catalog *kept = malloc(sizeof *kept);
    if (kept)
        *kept = *offers;
    return kept;
}

void release(void *prepared) { free(prepared); }

/* Each loop below is written out for one way of joining, so that the compiler vectorizes it. */
#define JOIN(expression)                                                     \
    switch (s->join) {                                                       \
    case SET:                                                                \
        for (int64_t i = 0; i < n; i++) mask[i] = (uint8_t)((expression) ^ flip);  \
        break;                                                               \
    case AND:                                                                \
        for (int64_t i = 0; i < n; i++) mask[i] &= (uint8_t)((expression) ^ flip); \
        break;                                                               \
    default:                                                                 \
        for (int64_t i = 0; i < n; i++) mask[i] |= (uint8_t)((expression) ^ flip); \
    }

static void apply(const catalog *c, const step *s, scratch *room)
{
    const int64_t n = c->offers;
    uint8_t *restrict mask = room->masks[s->level];
    const uint8_t flip = s->negated != 0;
    if (s->kind == FOLD) {
        const uint8_t *restrict above = room->masks[s->level + 1];
        JOIN(above[i])
        return;
    }
    switch (s->test) {
    case AT_MOST: {
        const double *restrict x = c->numbers[s->column];
        const double bound = s->bound;
        JOIN(x[i] <= bound)
        break;
    }
    case AT_LEAST: {
        const double *restrict x = c->numbers[s->column];
        const double bound = s->bound;
        JOIN(x[i] >= bound)
        break;
    }
    case IS: {
        const uint8_t *restrict flag = c->flags[s->column];
        JOIN(flag[i])
        break;
    }
    default: {
        const uint8_t *restrict code = c->providers;
        const uint64_t among = s->providers;
        JOIN((among >> code[i]) & 1)
    }
    }
}

/* Least and greatest of n >= 1 values, in lanes that do not wait for one another. */
static void ends(const double *x, int64_t n, double *low, double *high)
{
    double least[LANES], most[LANES];
    for (int j = 0; j < LANES; j++)
        least[j] = most[j] = x[0];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            least[j] = x[i + j] < least[j] ? x[i + j] : least[j];
            most[j] = x[i + j] > most[j] ? x[i + j] : most[j];
        }
    for (; i < n; i++) {
        least[0] = x[i] < least[0] ? x[i] : least[0];
        most[0] = x[i] > most[0] ? x[i] : most[0];
    }
    for (int j = 1; j < LANES; j++) {
        least[0] = least[j] < least[0] ? least[j] : least[0];
        most[0] = most[j] > most[0] ? most[j] : most[0];
    }
    *low = least[0];
    *high = most[0];
}

static void add_part(const catalog *c, const part *p, int64_t n, scratch *room)
{
    const double *restrict x = c->numbers[p->column];
    const int32_t *restrict at = room->survivors;
    double *restrict v = room->values, *restrict total = room->scores;
    for (int64_t i = 0; i < n; i++)
        v[i] = x[at[i]];
    double low, high;
    ends(v, n, &low, &high);
    const double weight = p->weight;
    if (high <= low) {
        const double constant = weight * (p->reversed ? 1.0 : 0.0);
        for (int64_t i = 0; i < n; i++)
            total[i] += constant;
        return;
    }
    const double span = high - low;
    if (p->reversed)
        for (int64_t i = 0; i < n; i++)
            total[i] += weight * (1.0 - (v[i] - low) / span);
    else
        for (int64_t i = 0; i < n; i++)
            total[i] += weight * ((v[i] - low) / span);
}

/* Keep the k best in order; a later offer passes an earlier one only with a higher score. */
static void best(const scratch *room, int64_t n, int32_t *rows, double *scores, int64_t k)
{
    int64_t held = 0;
    for (int64_t i = 0; i < n; i++) {
        const double score = room->scores[i];
        if (held == k && !(score > scores[k - 1]))
            continue;
        int64_t place = held < k ? held++ : k - 1;
        for (; place > 0 && score > scores[place - 1]; place--) {
            scores[place] = scores[place - 1];
            rows[place] = rows[place - 1];
        }
        scores[place] = score;
        rows[place] = room->survivors[i];
    }
}

static void rank_one(const catalog *c, const policy *p, const step *steps, const part *parts, scratch *room,
                     int32_t *rows, double *scores, int64_t k)
{
    for (int64_t s = p->first_step; s < p->last_step; s++)
        apply(c, &steps[s], room);
    const uint8_t *restrict mask = room->masks[0];
    int32_t *restrict survivors = room->survivors;
    int64_t n = 0;
    for (int64_t i = 0; i < c->offers; i++) {
        survivors[n] = (int32_t)i;
        n += mask[i];
    }
    if (!n)
        return;
    memset(room->scores, 0, (size_t)n * sizeof *room->scores);
    for (int64_t q = p->first_part; q < p->last_part; q++)
        add_part(c, &parts[q], n, room);
    best(room, n, rows, scores, k);
}

int rank_policies(const void *prepared, const policy *policies, int64_t count, const step *steps, const part *parts,
                  int32_t *rows, double *scores, int64_t k)
{
    const catalog *c = prepared;
    const size_t n = (size_t)c->offers + 64;
    char *memory = malloc(n * (LEVELS + sizeof(int32_t) + 2 * sizeof(double)));
    if (!memory)
        return 1;
    scratch room;
    room.values = (double *)memory;
    room.scores = room.values + n;
    room.survivors = (int32_t *)(room.scores + n);
    for (int level = 0; level < LEVELS; level++)
        room.masks[level] = (uint8_t *)(room.survivors + n) + (size_t)level * n;
    for (int64_t t = 0; t < count; t++)
        rank_one(c, &policies[t], steps, parts, &room, rows + t * k, scores + t * k, k);
    free(memory);
    return 0;
}
