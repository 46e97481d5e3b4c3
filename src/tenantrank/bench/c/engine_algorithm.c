/* The engine's own algorithm, written by hand: how near the compiled kernels come to it.
 *
 * Conditions are bitsets; a comparison copies the nearest marked prefix of its column's order and flips the rows between
 * mark and bound. Ends are found by walking the order from both sides. One part: the order is walked until the best are
 * found. Several: a sum in single precision bounds every survivor's score, the best of each word's lanes are kept, and
 * the rows that may be among the best are scored exactly, eight at a time. `tenantrank_kernels` explains each step where
 * it has the same name here, `lanes.h` what a step needs of the machine.
 */
#include "rank.h"

#include "lanes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEVELS = 8,
    PROVIDERS = 64,
    MARKS = 256,   /* of an order, about */
    PATIENCE = 64, /* places looked at one by one before whole stretches are skipped */
    FEW = 64,      /* survivors that are scored all */
    MOST = 48,     /* places up to which the shortcuts pay */
    UNROLLED = 6   /* coefficients up to which a bound has loops of its own */
};

static const double LARGEST = 1e30;      /* of any quantity in a bound, far from where single precision overflows */
static const double UNIT = 0x1p-23;      /* twice the largest relative error of one rounding in single precision */
static const double LEAST = 1e-44;       /* more than underflow can take from a number in single precision */
static const double DOUBLE = 0x1p-49;    /* sixteen times the largest relative error of one rounding in doubles */
static const double LOST = 1e-280;       /* more than underflow takes in doubles, times a field's largest value */

typedef struct {
    const double *values;
    float *singles;
    double *ordered;
    int32_t *order, *run_first, *run_end;
    uint64_t *marks; /* bitsets of the first 0, step, 2 step, ... rows of the order; step is 1 << shift */
} column;

typedef struct {
    int64_t offers, words, marks, shift;
    column *columns;
    uint64_t *every, *flags, *providers;
} tables;

typedef struct {
    double low, high;
} ends;

typedef struct {
    uint64_t *levels, *first, *second; /* levels (LEVELS, words); two bitsets besides */
    float *bounds;                     /* the greatest sums of each word, by lanes */
    ends *ends;
    float *coefficients;
    const float **columns;
    int32_t *rows;
    double *scores;
} scratch;

INLINE int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t most_of(int64_t a, int64_t b) { return a > b ? a : b; }

/* Memory from one allocation, each piece where a register may be loaded from; without `at`, only counted. */
typedef struct {
    char *at;
    size_t used;
} arena;

static void *take(arena *from, int64_t count, size_t size)
{
    void *piece = from->at ? from->at + from->used : NULL;
    from->used += ((size_t)count * size + 63) & ~(size_t)63;
    return piece;
}

static void *filled(arena *from, size_t used)
{
    from->at = aligned_alloc(64, used ? used : 64);
    from->used = 0;
    if (from->at)
        memset(from->at, 0, used);
    return from->at;
}

/* ---- What depends on the catalog alone. */

typedef struct {
    double value;
    int32_t row;
} placed;

static int by_value(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

static void set_bit(uint64_t *bits, int64_t row) { bits[row >> 6] |= (uint64_t)1 << (row & 63); }

static void make_order(const tables *c, column *x, placed *room)
{
    const int64_t n = c->offers;
    for (int64_t i = 0; i < n; i++)
        room[i] = (placed){x->values[i], (int32_t)i};
    qsort(room, (size_t)n, sizeof *room, by_value);
    for (int64_t i = 0; i < n; i++) {
        x->singles[i] = (float)x->values[i];
        x->ordered[i] = room[i].value;
        x->order[i] = room[i].row;
        x->run_first[i] = i && room[i].value == room[i - 1].value ? x->run_first[i - 1] : (int32_t)i;
    }
    for (int64_t i = n - 1; i >= 0; i--)
        x->run_end[i] = i + 1 < n && x->run_first[i + 1] != i + 1 ? x->run_end[i + 1] : (int32_t)(i + 1);
    for (int64_t mark = 1; mark < c->marks; mark++) {
        uint64_t *bits = x->marks + mark * c->words;
        memcpy(bits, bits - c->words, (size_t)c->words * sizeof *bits);
        for (int64_t i = (mark - 1) << c->shift; i < least_of(mark << c->shift, n); i++)
            set_bit(bits, x->order[i]);
    }
}

static tables *lay_out(const catalog *offers, arena *room)
{
    tables sizes = {.offers = offers->offers, .shift = 4};
    sizes.words = most_of(1, (sizes.offers + 511) / 512) * WORDS;
    while (sizes.offers / MARKS >> sizes.shift)
        sizes.shift++;
    sizes.marks = ((sizes.offers + ((int64_t)1 << sizes.shift) - 1) >> sizes.shift) + 1;
    tables *c = take(room, 1, sizeof *c);
    sizes.every = take(room, sizes.words, sizeof(uint64_t));
    sizes.flags = take(room, offers->flag_columns * sizes.words, sizeof(uint64_t));
    sizes.providers = take(room, PROVIDERS * sizes.words, sizeof(uint64_t));
    sizes.columns = take(room, offers->number_columns, sizeof(column));
    for (int64_t j = 0; j < offers->number_columns; j++) {
        column x = {.values = offers->numbers[j]};
        x.singles = take(room, sizes.words * LANES, sizeof *x.singles);
        x.ordered = take(room, sizes.offers, sizeof *x.ordered);
        x.order = take(room, sizes.offers, sizeof *x.order);
        x.run_first = take(room, sizes.offers, sizeof *x.run_first);
        x.run_end = take(room, sizes.offers, sizeof *x.run_end);
        x.marks = take(room, sizes.marks * sizes.words, sizeof *x.marks);
        if (c)
            sizes.columns[j] = x;
    }
    if (c)
        *c = sizes;
    return c;
}

void *prepare(const catalog *offers)
{
    arena room = {0};
    lay_out(offers, &room);
    placed *places = malloc((size_t)most_of(1, offers->offers) * sizeof *places);
    if (!places || !filled(&room, room.used)) {
        free(places);
        return NULL;
    }
    tables *c = lay_out(offers, &room);
    for (int64_t j = 0; j < offers->number_columns; j++)
        make_order(c, &c->columns[j], places);
    free(places);
    for (int64_t i = 0; i < c->offers; i++) {
        set_bit(c->every, i);
        set_bit(c->providers + offers->providers[i] * c->words, i);
        for (int64_t j = 0; j < offers->flag_columns; j++)
            if (offers->flags[j][i])
                set_bit(c->flags + j * c->words, i);
    }
    return c;
}

void release(void *prepared) { free(prepared); }

/* ---- What depends on a catalog's values and a policy's constants: found once. */

static bool is_comparison(const step *s) { return s->kind == LEAF && (s->test == AT_MOST || s->test == AT_LEAST); }

static void bind_policy(const tables *c, const policy *p, step *steps, part *parts)
{
    int64_t certain = p->first_step; /* from here on, steps of level 0 must all hold */
    for (int64_t i = p->first_step; i < p->last_step; i++) {
        step *s = &steps[i];
        if (s->level == 0 && s->join == OR)
            certain = i + 1;
        if (!is_comparison(s))
            continue;
        const double *ordered = c->columns[s->column].ordered;
        int64_t below = 0, above = c->offers;
        while (below < above) {
            const int64_t middle = (below + above) >> 1;
            if (ordered[middle] < s->bound || (s->test == AT_MOST && ordered[middle] == s->bound))
                below = middle + 1;
            else
                above = middle;
        }
        s->cut = below;
    }
    for (int64_t q = p->first_part; q < p->last_part; q++) {
        part *t = &parts[q];
        t->first = 0;
        t->stop = c->offers;
        for (int64_t i = certain; i < p->last_step; i++) {
            const step *s = &steps[i];
            if (!is_comparison(s) || s->level || s->column != t->column)
                continue;
            if ((s->test == AT_LEAST) != (s->negated != 0))
                t->first = most_of(t->first, s->cut);
            else
                t->stop = least_of(t->stop, s->cut);
        }
    }
}

void bind_policies(const void *prepared, const policy *policies, int64_t count, step *steps, part *parts)
{
    for (int64_t t = 0; t < count; t++)
        bind_policy(prepared, &policies[t], steps, parts);
}

/* ---- Conditions. */

INLINE bits joined_bits(bits below, bits block, int join, bool turned)
{
    if (join == SET)
        return turned ? inverted(block) : block;
    if (join == AND)
        return turned ? without(below, block) : both(below, block);
    return either(below, turned ? inverted(block) : block);
}

INLINE void flip(uint64_t *bits, const int32_t *order, int64_t from, int64_t to)
{
    for (int64_t place = from; place < to; place++) {
        const int64_t row = order[place];
        bits[row >> 6] ^= (uint64_t)1 << (row & 63);
    }
}

/* The bitset of the first `cut` rows of a column's order, or of the others. */
INLINE void write_cut(const tables *c, const column *x, int64_t cut, uint64_t *target, bool turned)
{
    const int64_t half = ((int64_t)1 << c->shift) >> 1;
    const int64_t mark = least_of((cut + half) >> c->shift, c->marks - 1);
    const int64_t marked = least_of(mark << c->shift, c->offers);
    const uint64_t *marked_bits = x->marks + mark * c->words;
    for (int64_t w = 0; w < c->words; w += WORDS)
        store_bits(target + w, turned ? inverted(load_bits(marked_bits + w)) : load_bits(marked_bits + w));
    flip(target, x->order, least_of(marked, cut), most_of(marked, cut));
}

INLINE void join_bits(const tables *c, const uint64_t *source, uint64_t *target, int join, bool turned)
{
    for (int64_t w = 0; w < c->words; w += WORDS)
        store_bits(target + w, joined_bits(load_bits(target + w), load_bits(source + w), join, turned));
}

INLINE void join_providers(const tables *c, uint64_t listed, uint64_t *target, int join, bool turned)
{
    for (int64_t w = 0; w < c->words; w += WORDS) {
        bits any = no_bits();
        for (uint64_t left = listed; left; left &= left - 1)
            any = either(any, load_bits(c->providers + __builtin_ctzll(left) * c->words + w));
        store_bits(target + w, joined_bits(load_bits(target + w), any, join, turned));
    }
}

/* Each way of joining becomes loops of its own. */
#define EACH_WAY(join, turned, call)                                                                \
    switch ((join) * 2 + (turned)) {                                                                \
    case SET * 2: { enum { J = SET, I = 0 }; call; break; }                                         \
    case SET * 2 + 1: { enum { J = SET, I = 1 }; call; break; }                                     \
    case AND * 2: { enum { J = AND, I = 0 }; call; break; }                                         \
    case AND * 2 + 1: { enum { J = AND, I = 1 }; call; break; }                                     \
    case OR * 2: { enum { J = OR, I = 0 }; call; break; }                                           \
    default: { enum { J = OR, I = 1 }; call; break; }                                               \
    }

static void pass_condition(const tables *c, const step *s, const scratch *room)
{
    uint64_t *target = room->levels + s->level * c->words;
    const uint64_t *source;
    bool turned = s->negated != 0;
    if (s->kind == FOLD) {
        source = target + c->words;
    } else if (s->test == IS) {
        source = c->flags + s->column * c->words;
    } else if (s->test == AMONG) {
        EACH_WAY(s->join, turned, join_providers(c, s->providers, target, J, I))
        return;
    } else {
        turned ^= s->test == AT_LEAST;
        if (s->join == SET) {
            write_cut(c, &c->columns[s->column], s->cut, target, turned);
            return;
        }
        write_cut(c, &c->columns[s->column], s->cut, room->first, false);
        source = room->first;
    }
    EACH_WAY(s->join, turned, join_bits(c, source, target, J, I))
}

/* Clears the padding of a bitset; gives how many offers it holds. */
INLINE int64_t only_offers(const tables *c, uint64_t *mask)
{
    int64_t total = 0;
    for (int64_t w = c->offers >> 6; w < c->words; w++)
        mask[w] &= c->every[w];
    for (int64_t w = 0; w < c->words; w += WORDS)
        total += counted(mask + w);
    return total;
}

/* ---- Orders. */

INLINE bool passes(const uint64_t *mask, int32_t row) { return mask[row >> 6] >> (row & 63) & 1; }

static bool any_between(const tables *c, const uint64_t *mask, const column *x, int64_t low, int64_t high)
{
    const uint64_t *first = x->marks + low * c->words, *second = x->marks + high * c->words;
    for (int64_t w = 0; w < c->words; w += WORDS) {
        const bits between = without(load_bits(second + w), load_bits(first + w));
        if (any_set(both(between, load_bits(mask + w))))
            return true;
    }
    return false;
}

static int64_t far_next(const tables *c, const uint64_t *mask, const column *x, int64_t place, int64_t stop)
{
    const int64_t step = (int64_t)1 << c->shift;
    const int64_t aligned = least_of(stop, (place + step - 1) >> c->shift << c->shift);
    for (; place < aligned; place++)
        if (passes(mask, x->order[place]))
            return place;
    if (place == stop)
        return stop;
    const int64_t start = place >> c->shift;
    int64_t low = start, high = c->marks - 1;
    if (!any_between(c, mask, x, start, high))
        return stop;
    while (high - low > 1) {
        const int64_t middle = (low + high) >> 1;
        if (any_between(c, mask, x, start, middle))
            high = middle;
        else
            low = middle;
    }
    place = low << c->shift;
    while (place < stop && !passes(mask, x->order[place]))
        place++;
    return least_of(place, stop);
}

/* The first place from `place` on, before `stop`, whose row passes; `stop` where there is none. */
INLINE int64_t next_passing(const tables *c, const uint64_t *mask, const column *x, int64_t place, int64_t stop)
{
    const int64_t patient = least_of(stop, place + PATIENCE);
    for (; place < patient; place++)
        if (passes(mask, x->order[place]))
            return place;
    return place == stop ? stop : far_next(c, mask, x, place, stop);
}

static int64_t far_last(const tables *c, const uint64_t *mask, const column *x, int64_t begin, int64_t place)
{
    /* Down to a mark: everything at or behind it has been looked at. */
    for (; place >= begin && (place + 1) & (((int64_t)1 << c->shift) - 1); place--)
        if (passes(mask, x->order[place]))
            return place;
    if (place < begin)
        return begin - 1;
    const int64_t end = (place + 1) >> c->shift;
    int64_t low = 0, high = end;
    if (!any_between(c, mask, x, 0, end))
        return begin - 1;
    while (high - low > 1) {
        const int64_t middle = (low + high) >> 1;
        if (any_between(c, mask, x, middle, end))
            low = middle;
        else
            high = middle;
    }
    place = (high << c->shift) - 1;
    while (place >= begin && !passes(mask, x->order[place]))
        place--;
    return most_of(place, begin - 1);
}

/* The last place from `begin` on, before `stop`, whose row passes; `begin - 1` where there is none. */
INLINE int64_t last_passing(const tables *c, const uint64_t *mask, const column *x, int64_t begin, int64_t stop)
{
    int64_t place = stop - 1;
    const int64_t patient = most_of(begin, place - PATIENCE);
    for (; place >= patient; place--)
        if (passes(mask, x->order[place]))
            return place;
    return place < begin ? begin - 1 : far_last(c, mask, x, begin, place);
}

/* ---- Scores. */

/* The least and the greatest value of each part's column, over the rows that pass. */
INLINE void find_ends(const tables *c, const part *parts, int64_t count, const scratch *room)
{
    for (int64_t q = 0; q < count; q++) {
        const part *p = &parts[q];
        const column *x = &c->columns[p->column];
        room->ends[q].low = x->ordered[next_passing(c, room->levels, x, p->first, p->stop)];
        room->ends[q].high = x->ordered[last_passing(c, room->levels, x, p->first, p->stop)];
    }
}

/* Scores rows, eight at a time; up to seven behind them are overwritten. */
INLINE void blend_scores(const tables *c, const part *parts, int64_t count, const scratch *room, int64_t found)
{
    int32_t *rows = room->rows;
    for (int64_t i = found; i % EIGHT; i++)
        rows[i] = rows[0];
    const doubles one = double_in_all(1.0);
    for (int64_t i = 0; i < found; i += EIGHT) {
        doubles total = double_in_all(0.0);
        for (int64_t q = 0; q < count; q++) {
            const part *p = &parts[q];
            const ends between = room->ends[q];
            doubles score = double_in_all(0.0);
            if (between.high > between.low)
                score = rescaled(gathered(c->columns[p->column].values, rows + i), between.low, between.high);
            if (p->reversed)
                score = minus(one, score);
            total = added(total, times(double_in_all(p->weight), score));
        }
        store_doubles(room->scores + i, total);
    }
}

/* Keeps the k best of scored rows; a later one passes an earlier only by more. */
INLINE void best_first(const scratch *room, int64_t found, int32_t *rows, double *scores, int64_t k)
{
    for (int64_t i = 0; i < found; i++) {
        const double score = room->scores[i];
        if (i >= k && !(score > scores[k - 1]))
            continue;
        int64_t place = least_of(i, k - 1);
        for (; place > 0 && score > scores[place - 1]; place--) {
            scores[place] = scores[place - 1];
            rows[place] = rows[place - 1];
        }
        scores[place] = score;
        rows[place] = room->rows[i];
    }
}

static int64_t first_rows(const tables *c, const uint64_t *mask, int32_t *rows)
{
    int64_t found = 0;
    for (int64_t w = 0; w < c->words; w++)
        for (uint64_t left = mask[w]; left; left &= left - 1)
            rows[found++] = (int32_t)(w * 64 + __builtin_ctzll(left));
    return found;
}

/* ---- One part: the order of its column. */

INLINE double part_score(const part *p, ends between, double x)
{
    double score = 0.0;
    if (between.high > between.low)
        score = x >= between.high ? 1.0 : x <= between.low ? 0.0 : (x - between.low) / (between.high - between.low);
    return p->weight * (p->reversed ? 1.0 - score : score);
}

INLINE double value_score(const part *p, ends between, double x) { return 0.0 + part_score(p, between, x); }

/* Puts a row behind all that score higher, and behind equal scores that stand before it in the catalog. */
INLINE void insert(int32_t *rows, double *scores, int64_t place, int32_t row, double score)
{
    for (; place > 0 && (score > scores[place - 1] || (score == scores[place - 1] && row < rows[place - 1])); place--) {
        rows[place] = rows[place - 1];
        scores[place] = scores[place - 1];
    }
    rows[place] = row;
    scores[place] = score;
}

static int64_t first_beyond(const column *x, const part *p, ends between, bool falling, double score, bool equal,
                            int64_t begin, int64_t stop)
{
    while (begin < stop) {
        const int64_t middle = (begin + stop) >> 1;
        const double found = value_score(p, between, x->ordered[middle]);
        if ((falling ? found < score : found > score) || (equal && found == score))
            stop = middle;
        else
            begin = middle + 1;
    }
    return begin;
}

/* Chooses the last places anew by catalog order, among all rows that pass and score as the last one does. */
static void settle_ties(const tables *c, const column *x, const part *p, ends between, bool falling,
                        const scratch *room, int64_t least, int64_t greatest, int32_t *rows, double *scores, int64_t k)
{
    const double score = scores[k - 1];
    const int64_t begin = first_beyond(x, p, between, falling, score, true, least, greatest + 1);
    const int64_t end = first_beyond(x, p, between, falling, score, false, least, greatest + 1);
    write_cut(c, x, begin, room->first, false);
    write_cut(c, x, end, room->second, false);
    int64_t place = 0;
    while (scores[place] > score)
        place++;
    for (int64_t w = 0; w < c->words; w++)
        for (uint64_t bits = room->levels[w] & room->second[w] & ~room->first[w]; bits; bits &= bits - 1) {
            rows[place++] = (int32_t)(w * 64 + __builtin_ctzll(bits));
            if (place == k)
                return;
        }
}

/* False where values that differ score alike and many places are wanted. */
static bool walk(const tables *c, const part *p, const scratch *room, int32_t *rows, double *scores, int64_t k)
{
    const column *x = &c->columns[p->column];
    const uint64_t *mask = room->levels;
    const double *ordered = x->ordered;
    const bool falling = (p->reversed != 0) != (p->weight < 0);
    const int64_t least = next_passing(c, mask, x, p->first, p->stop);
    const int64_t greatest = last_passing(c, mask, x, p->first, p->stop);
    const ends between = {ordered[least], ordered[greatest]};
    int64_t found = 0, beyond;
    bool mixed = false, more; /* mixed: values that differ have the score at hand */
    if (falling) {
        int64_t place = least;
        double value = between.low, score = value_score(p, between, value);
        for (;;) {
            if (ordered[place] != value) {
                value = ordered[place];
                const double earlier = score;
                score = value_score(p, between, value);
                mixed = score == earlier;
                if (mixed && k > MOST)
                    return false;
            }
            insert(rows, scores, found++, x->order[place], score);
            if (found == k || place == greatest)
                break;
            place = next_passing(c, mask, x, place + 1, greatest);
        }
        beyond = x->run_end[place];
        more = beyond <= greatest;
    } else {
        int64_t stop = greatest;
        for (;;) {
            /* Within a stretch of equal values, forward: the catalog's order. */
            const int64_t start = most_of(least, x->run_first[stop]);
            const double score = value_score(p, between, ordered[stop]);
            mixed = found && score == scores[found - 1];
            if (mixed && k > MOST)
                return false;
            for (int64_t place = start;; place++) {
                place = next_passing(c, mask, x, place, stop);
                insert(rows, scores, found++, x->order[place], score);
                if (found == k || place == stop)
                    break;
            }
            beyond = start - 1;
            if (found == k || start == least)
                break;
            stop = last_passing(c, mask, x, least, start);
        }
        more = beyond >= least;
    }
    if (more && !mixed)
        mixed = value_score(p, between, ordered[beyond]) == scores[found - 1];
    if (mixed)
        settle_ties(c, x, p, between, falling, room, least, greatest, rows, scores, k);
    return true;
}

/* ---- Several parts: a bound leaves few rows to be scored exactly. */

typedef struct {
    int64_t count; /* of coefficients; -1 where no bound can be given */
    double constant, error;
} linear;

static linear linear_of(const tables *c, const part *parts, int64_t count, const scratch *room)
{
    const linear none = {.count = -1};
    linear sum = {0};
    double magnitude = 0.0, lost = LEAST, steps = 4.0;
    for (int64_t q = 0; q < count; q++) {
        const part *p = &parts[q];
        const double low = room->ends[q].low, high = room->ends[q].high;
        double constant = 0.0, slope = 0.0, largest = 0.0;
        if (high > low) {
            if (!(high - low <= LARGEST))
                return none;
            largest = fabs(low) > fabs(high) ? fabs(low) : fabs(high);
            slope = 1.0 / (high - low);
            constant = -low * slope;
        }
        /* How far constant and slope may take the part from what it is in doubles. */
        double error = DOUBLE * (1.0 + fabs(constant) + fabs(slope) * largest);
        if (p->reversed) {
            constant = 1.0 - constant;
            slope = -slope;
            error += DOUBLE * (2.0 + fabs(constant) + fabs(slope) * largest);
        }
        constant *= p->weight;
        slope *= p->weight;
        error = error * fabs(p->weight) + DOUBLE * (fabs(constant) + fabs(slope) * largest) + LOST;
        if (!(largest <= LARGEST && fabs(slope) <= LARGEST))
            return none;
        sum.constant += constant;
        magnitude += fabs(constant) + fabs(slope) * largest + fabs(sum.constant);
        steps += 2.0;
        lost += error + 4.0 * LEAST;
        if (slope != 0.0) {
            lost += (largest + fabs(slope)) * LEAST;
            room->coefficients[sum.count] = (float)slope;
            room->columns[sum.count++] = c->columns[p->column].singles;
        }
    }
    if (!(magnitude <= LARGEST && lost <= LARGEST))
        return none;
    sum.error = magnitude * steps * UNIT + lost;
    return sum;
}

/* A number in single precision that is no greater. */
INLINE float below(double value) { return (float)(value - fabs(value) * UNIT - LEAST); }

/* What `wanted` rows reach at least: a `wanted`-th greatest of lanes, each the best of other rows. */
INLINE float reached_by(const float *bounds, int64_t total, singles best, int64_t wanted)
{
    const singles nothing = in_all(-INFINITY);
    singles reached = greatest(best);
    if (wanted <= PIECE / 2) {
        /* So few are seldom two in one lane. */
        for (int64_t i = 1; i < wanted; i++) {
            best = lowered(best, reached, nothing);
            reached = greatest(best);
        }
        return first_lane(reached);
    }
    singles lanes[4] = {nothing, nothing, nothing, nothing};
    for (int64_t w = 0; w < total; w += 4)
        for (int64_t j = 0; j < 4; j++)
            lanes[j] = greater(lanes[j], load_singles(bounds + (w + j) * PIECE));
    for (int64_t i = 1; i < wanted; i++) {
        for (int64_t j = 0; j < 4; j++)
            lanes[j] = lowered(lanes[j], reached, nothing);
        reached = greatest(greater(greater(lanes[0], lanes[1]), greater(lanes[2], lanes[3])));
    }
    return first_lane(reached);
}

/* A piece of a word's sums, each a constant and columns times coefficients. */
INLINE singles sums(const float *const *columns, const singles *coefficients, int64_t count, singles start, int64_t at)
{
    singles block = start;
    for (int64_t j = 0; j < count; j++)
        block = joined(block, coefficients[j], load_singles(columns[j] + at));
    return block;
}

/* Writes for each word the greatest of its rows' sums, by lanes; gives the same for all words together. */
INLINE singles bound_few(const uint64_t *mask, int64_t total, const float *const *columns, const singles *coefficients,
                         int64_t count, singles start, float *bounds)
{
    const singles nothing = in_all(-INFINITY);
    singles best = nothing;
    for (int64_t w = 0; w < total; w++) {
        singles most = nothing;
        if (mask[w]) {
            for (int piece = 0; piece < 4; piece++) {
                const singles block = sums(columns, coefficients, count, start, w * LANES + piece * PIECE);
                most = greater_of_kept(mask + w, piece, block, most);
            }
            best = greater(most, best);
        }
        store_singles(bounds + w * PIECE, most);
    }
    return best;
}

/* Whether a word's lanes, or those of any of four words, may hold a row that reaches a bound. */
INLINE bool word_reaches(const float *bounds, singles least) { return at_least(load_singles(bounds), least) != 0; }
INLINE bool four_reach(const float *bounds, singles least)
{
    const singles low = greater(load_singles(bounds), load_singles(bounds + PIECE));
    const singles high = greater(load_singles(bounds + 2 * PIECE), load_singles(bounds + 3 * PIECE));
    return at_least(greater(low, high), least) != 0;
}

/* The rows that may be among the best. `count`, of coefficients, is a constant where this is called. */
INLINE int64_t candidates_of(const tables *c, const scratch *room, linear sum, int64_t wanted, int64_t count)
{
    /* Copies, which no store to the bounds can change. */
    const float *columns[UNROLLED];
    singles coefficients[UNROLLED];
    for (int64_t j = 0; j < count; j++) {
        columns[j] = room->columns[j];
        coefficients[j] = in_all(room->coefficients[j]);
    }
    const int64_t total = c->words;
    const uint64_t *mask = room->levels;
    float *bounds = room->bounds;
    int32_t *rows = room->rows;
    const singles start = in_all((float)sum.constant);
    const singles best = bound_few(mask, total, columns, coefficients, count, start, bounds);
    const singles least = in_all(below((double)reached_by(bounds, total, best, wanted) - 2.0 * sum.error));
    int64_t found = 0;
    for (int64_t four = 0; four < total; four += 4) {
        if (!four_reach(bounds + four * PIECE, least))
            continue;
        for (int64_t w = four; w < four + 4; w++) {
            if (!word_reaches(bounds + w * PIECE, least))
                continue;
            uint64_t reaching = 0;
            for (int piece = 0; piece < 4; piece++) {
                const singles block = sums(columns, coefficients, count, start, w * LANES + piece * PIECE);
                reaching |= (uint64_t)at_least(block, least) << PIECE * piece;
            }
            for (uint64_t left = mask[w] & reaching; left; left &= left - 1)
                rows[found++] = (int32_t)(w * LANES + __builtin_ctzll(left));
        }
    }
    return found;
}

/* The rows that may be among the best; how many there are, or -1 where no bound can be given. */
static int64_t candidates(const tables *c, const part *parts, int64_t count, const scratch *room, int64_t wanted)
{
    const linear sum = linear_of(c, parts, count, room);
#define LOOPS_FOR(count)                                                                            \
    case count:                                                                                     \
        return candidates_of(c, room, sum, wanted, count);
    switch (sum.count) {
        LOOPS_FOR(0)
        LOOPS_FOR(1)
        LOOPS_FOR(2)
        LOOPS_FOR(3)
        LOOPS_FOR(4)
        LOOPS_FOR(5)
        LOOPS_FOR(UNROLLED)
    default:
        return -1;
    }
}

/* ---- Policies. */

static void rank_one(const tables *c, const policy *p, const step *steps, const part *parts, const scratch *room,
                     int32_t *rows, double *scores, int64_t k)
{
    for (int64_t s = p->first_step; s < p->last_step; s++)
        pass_condition(c, &steps[s], room);
    uint64_t *mask = room->levels;
    const int64_t survived = only_offers(c, mask);
    k = least_of(k, survived);
    if (k <= 0)
        return;
    parts += p->first_part;
    const int64_t count = p->last_part - p->first_part;
    if (count == 1 && walk(c, parts, room, rows, scores, k))
        return;
    find_ends(c, parts, count, room);
    int64_t found = survived > FEW && k <= MOST ? candidates(c, parts, count, room, k) : -1;
    if (found < 0)
        found = first_rows(c, mask, room->rows);
    blend_scores(c, parts, count, room, found);
    best_first(room, found, rows, scores, k);
}

static scratch room_in(const tables *c, int64_t parts, arena *from)
{
    scratch room;
    room.levels = take(from, LEVELS * c->words, sizeof *room.levels);
    room.first = take(from, c->words, sizeof *room.first);
    room.second = take(from, c->words, sizeof *room.second);
    room.bounds = take(from, c->words * PIECE, sizeof *room.bounds);
    room.rows = take(from, c->words * LANES, sizeof *room.rows);
    room.ends = take(from, parts, sizeof *room.ends);
    room.coefficients = take(from, parts, sizeof *room.coefficients);
    room.columns = take(from, parts, sizeof *room.columns);
    room.scores = take(from, c->words * LANES, sizeof *room.scores);
    return room;
}

int rank_policies(const void *prepared, const policy *policies, int64_t count, const step *steps, const part *parts,
                  int32_t *rows, double *scores, int64_t k)
{
    const tables *c = prepared;
    int64_t most_parts = 0;
    for (int64_t t = 0; t < count; t++)
        most_parts = most_of(most_parts, policies[t].last_part - policies[t].first_part);
    arena from = {0};
    room_in(c, most_parts, &from);
    if (!filled(&from, from.used))
        return 1;
    const scratch room = room_in(c, most_parts, &from);
    for (int64_t t = 0; t < count; t++)
        rank_one(c, &policies[t], steps, parts, &room, rows + t * k, scores + t * k, k);
    free(from.at);
    return 0;
}
