/* Blocks of lanes for `engine_algorithm.c`, as `tenantrank_kernels.machine` has them for the kernels: with AVX-512, and
 * with AVX2 and FMA.
 *
 * singles hold 16 numbers, a quarter of a word's rows; doubles hold 8, and round as doubles alone do; bits hold 8 words.
 * A rounding may differ from machine to machine only where blocks of singles are `joined`: they bound and decide nothing.
 */
#ifndef TENANTRANK_BENCH_LANES_H
#define TENANTRANK_BENCH_LANES_H

#include <stdbool.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    LANES = 64, /* rows of a word */
    PIECE = 16, /* numbers in a block of singles */
    EIGHT = 8,  /* numbers in a block of doubles */
    WORDS = 8   /* words in a block of bits */
};

/* How many bits of a block are set: word by word, which is faster than what vectors do for it without an instruction. */
INLINE int64_t counted(const uint64_t *block)
{
    int64_t low = 0, high = 0;
    for (int i = 0; i < WORDS; i += 2) {
        low += __builtin_popcountll(block[i]);
        high += __builtin_popcountll(block[i + 1]);
    }
    return low + high;
}

#if defined __AVX512F__ && defined __AVX512BW__ && defined __AVX512DQ__ && defined __AVX512VL__

#include <immintrin.h>

typedef __m512 singles;
typedef __m512d doubles;
typedef __m512i bits;

INLINE bits no_bits(void) { return _mm512_setzero_si512(); }
INLINE bits load_bits(const uint64_t *from) { return _mm512_load_si512(from); }
INLINE void store_bits(uint64_t *to, bits a) { _mm512_store_si512(to, a); }
INLINE bits both(bits a, bits b) { return _mm512_and_si512(a, b); }
INLINE bits either(bits a, bits b) { return _mm512_or_si512(a, b); }
INLINE bits without(bits a, bits b) { return _mm512_andnot_si512(b, a); }
INLINE bits inverted(bits a) { return _mm512_ternarylogic_epi64(a, a, a, 0x55); }
INLINE bool any_set(bits a) { return _mm512_test_epi64_mask(a, a); }

INLINE singles load_singles(const float *from) { return _mm512_load_ps(from); }
INLINE void store_singles(float *to, singles a) { _mm512_store_ps(to, a); }
INLINE singles in_all(float value) { return _mm512_set1_ps(value); }
INLINE singles joined(singles a, singles b, singles c) { return _mm512_fmadd_ps(b, c, a); }
INLINE singles greater(singles a, singles b) { return _mm512_max_ps(a, b); }
INLINE singles greater_of_kept(const uint64_t *word, int piece, singles a, singles b)
{
    return _mm512_mask_max_ps(b, (__mmask16)(*word >> PIECE * piece), a, b);
}
INLINE uint32_t at_least(singles a, singles bound) { return _mm512_cmp_ps_mask(a, bound, _CMP_GE_OQ); }
INLINE singles lowered(singles a, singles bound, singles value)
{
    return _mm512_mask_mov_ps(a, _mm512_cmp_ps_mask(a, bound, _CMP_GE_OQ), value);
}
INLINE singles greatest(singles a)
{
    a = _mm512_max_ps(a, _mm512_shuffle_f32x4(a, a, 0x4e));
    a = _mm512_max_ps(a, _mm512_shuffle_f32x4(a, a, 0xb1));
    a = _mm512_max_ps(a, _mm512_permute_ps(a, 0x4e));
    return _mm512_max_ps(a, _mm512_permute_ps(a, 0xb1));
}
INLINE float first_lane(singles a) { return _mm512_cvtss_f32(a); }

INLINE void store_doubles(double *to, doubles a) { _mm512_storeu_pd(to, a); }
INLINE doubles double_in_all(double value) { return _mm512_set1_pd(value); }
INLINE doubles added(doubles a, doubles b) { return _mm512_add_pd(a, b); }
INLINE doubles minus(doubles a, doubles b) { return _mm512_sub_pd(a, b); }
INLINE doubles times(doubles a, doubles b) { return _mm512_mul_pd(a, b); }
INLINE doubles gathered(const double *values, const int32_t *rows)
{
    return _mm512_i32gather_pd(_mm256_loadu_si256((const void *)rows), values, 8);
}
INLINE doubles rescaled(doubles a, double low, double high)
{
    const doubles least = _mm512_set1_pd(low), most = _mm512_set1_pd(high);
    const doubles scaled = _mm512_div_pd(_mm512_sub_pd(a, least), _mm512_sub_pd(most, least));
    const doubles from = _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a, least, _CMP_GT_OQ), scaled);
    return _mm512_mask_mov_pd(from, _mm512_cmp_pd_mask(a, most, _CMP_GE_OQ), _mm512_set1_pd(1.0));
}

#elif defined __AVX2__ && defined __FMA__

#include <immintrin.h>

typedef struct {
    __m256 low, high;
} singles;
typedef struct {
    __m256d low, high;
} doubles;
typedef struct {
    __m256i low, high;
} bits;

INLINE bits no_bits(void) { return (bits){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
INLINE bits load_bits(const uint64_t *from)
{
    return (bits){_mm256_load_si256((const void *)from), _mm256_load_si256((const void *)(from + 4))};
}
INLINE void store_bits(uint64_t *to, bits a)
{
    _mm256_store_si256((void *)to, a.low);
    _mm256_store_si256((void *)(to + 4), a.high);
}
INLINE bits both(bits a, bits b)
{
    return (bits){_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}
INLINE bits either(bits a, bits b) { return (bits){_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)}; }
INLINE bits without(bits a, bits b)
{
    return (bits){_mm256_andnot_si256(b.low, a.low), _mm256_andnot_si256(b.high, a.high)};
}
INLINE bits inverted(bits a)
{
    const __m256i all = _mm256_set1_epi64x(-1);
    return (bits){_mm256_xor_si256(a.low, all), _mm256_xor_si256(a.high, all)};
}
INLINE bool any_set(bits a)
{
    const __m256i any = _mm256_or_si256(a.low, a.high);
    return !_mm256_testz_si256(any, any);
}

INLINE singles load_singles(const float *from) { return (singles){_mm256_load_ps(from), _mm256_load_ps(from + 8)}; }
INLINE void store_singles(float *to, singles a)
{
    _mm256_store_ps(to, a.low);
    _mm256_store_ps(to + 8, a.high);
}
INLINE singles in_all(float value) { return (singles){_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
INLINE singles joined(singles a, singles b, singles c)
{
    return (singles){_mm256_fmadd_ps(b.low, c.low, a.low), _mm256_fmadd_ps(b.high, c.high, a.high)};
}
INLINE singles greater(singles a, singles b)
{
    return (singles){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
/* Eight lanes, NaN where a bit is not set. */
INLINE __m256 only(__m256i word_half, int first, __m256 a)
{
    const __m256i lane = _mm256_slli_epi32(_mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), 8 * first);
    const __m256i lacks = _mm256_cmpeq_epi32(_mm256_and_si256(word_half, lane), _mm256_setzero_si256());
    return _mm256_or_ps(a, _mm256_castsi256_ps(lacks));
}
INLINE singles greater_of_kept(const uint64_t *word, int piece, singles a, singles b)
{
    /* A load to all lanes: half a word serves four times. */
    const __m256i half = _mm256_set1_epi32(((const int32_t *)word)[piece / 2]);
    const int first = piece % 2 * 2;
    return (singles){_mm256_max_ps(only(half, first, a.low), b.low), _mm256_max_ps(only(half, first + 1, a.high), b.high)};
}
INLINE uint32_t at_least(singles a, singles bound)
{
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(a.low, bound.low, _CMP_GE_OQ));
    const int high = _mm256_movemask_ps(_mm256_cmp_ps(a.high, bound.high, _CMP_GE_OQ));
    return (uint32_t)(low | high << 8);
}
INLINE singles lowered(singles a, singles bound, singles value)
{
    return (singles){_mm256_blendv_ps(a.low, value.low, _mm256_cmp_ps(a.low, bound.low, _CMP_GE_OQ)),
                     _mm256_blendv_ps(a.high, value.high, _mm256_cmp_ps(a.high, bound.high, _CMP_GE_OQ))};
}
INLINE singles greatest(singles a)
{
    __m256 most = _mm256_max_ps(a.low, a.high);
    most = _mm256_max_ps(most, _mm256_permute2f128_ps(most, most, 1));
    most = _mm256_max_ps(most, _mm256_permute_ps(most, 0x4e));
    most = _mm256_max_ps(most, _mm256_permute_ps(most, 0xb1));
    return (singles){most, most};
}
INLINE float first_lane(singles a) { return _mm256_cvtss_f32(a.low); }

INLINE void store_doubles(double *to, doubles a)
{
    _mm256_storeu_pd(to, a.low);
    _mm256_storeu_pd(to + 4, a.high);
}
INLINE doubles double_in_all(double value) { return (doubles){_mm256_set1_pd(value), _mm256_set1_pd(value)}; }
INLINE doubles added(doubles a, doubles b)
{
    return (doubles){_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}
INLINE doubles minus(doubles a, doubles b)
{
    return (doubles){_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)};
}
INLINE doubles times(doubles a, doubles b)
{
    return (doubles){_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)};
}
INLINE doubles gathered(const double *values, const int32_t *rows)
{
    return (doubles){_mm256_setr_pd(values[rows[0]], values[rows[1]], values[rows[2]], values[rows[3]]),
                     _mm256_setr_pd(values[rows[4]], values[rows[5]], values[rows[6]], values[rows[7]])};
}
INLINE __m256d rescaled_half(__m256d a, __m256d least, __m256d most, __m256d span)
{
    const __m256d scaled = _mm256_div_pd(_mm256_sub_pd(a, least), span);
    const __m256d from = _mm256_and_pd(scaled, _mm256_cmp_pd(a, least, _CMP_GT_OQ));
    return _mm256_blendv_pd(from, _mm256_set1_pd(1.0), _mm256_cmp_pd(a, most, _CMP_GE_OQ));
}
INLINE doubles rescaled(doubles a, double low, double high)
{
    const __m256d least = _mm256_set1_pd(low), most = _mm256_set1_pd(high), span = _mm256_sub_pd(most, least);
    return (doubles){rescaled_half(a.low, least, most, span), rescaled_half(a.high, least, most, span)};
}

#else
#error "needs a CPU with AVX2 and FMA, or with AVX-512"
#endif

#endif
