/* Words: 0: cpuid 1 ecx, 80000001 ecx   1: cpuid 7 ebx, ecx   2: cpuid 7 edx, 7.1 eax   3: xcr0 (low half), cpuid d.1 eax; low half
 * first. Sources: Intel SDM volume 2 (CPUID), AMD APM volume 3 appendix E. */
#include "cpu.h"

#include <cpuid.h>

struct feature_row {
    uint8_t word, bit;
    char name[22];
};

static const struct feature_row rows[] = {
    {0, 0, "sse3"},        {0, 1, "pclmulqdq"},   {0, 9, "ssse3"},         {0, 12, "fma"},           {0, 13, "cx16"},
    {0, 19, "sse4_1"},     {0, 20, "sse4_2"},     {0, 22, "movbe"},        {0, 23, "popcnt"},        {0, 25, "aes"},
    {0, 26, "xsave"},      {0, 27, "osxsave"},    {0, 28, "avx"},          {0, 29, "f16c"},          {0, 30, "rdrand"},
    {0, 32, "lahf_lm"},    {0, 37, "abm"},        {0, 38, "sse4a"},        {0, 43, "xop"},           {0, 48, "fma4"},
    {0, 53, "tbm"},        {1, 0, "fsgsbase"},    {1, 3, "bmi1"},          {1, 5, "avx2"},           {1, 8, "bmi2"},
    {1, 9, "erms"},        {1, 11, "rtm"},        {1, 16, "avx512f"},      {1, 17, "avx512dq"},      {1, 18, "rdseed"},
    {1, 19, "adx"},        {1, 21, "avx512ifma"}, {1, 23, "clflushopt"},   {1, 24, "clwb"},          {1, 28, "avx512cd"},
    {1, 29, "sha_ni"},     {1, 30, "avx512bw"},   {1, 31, "avx512vl"},     {1, 33, "avx512vbmi"},    {1, 37, "waitpkg"},
    {1, 38, "avx512_vbmi2"}, {1, 40, "gfni"},     {1, 41, "vaes"},         {1, 42, "vpclmulqdq"},    {1, 43, "avx512_vnni"},
    {1, 44, "avx512_bitalg"}, {1, 46, "avx512_vpopcntdq"}, {1, 54, "rdpid"}, {1, 59, "movdiri"},     {1, 60, "movdir64b"},
    {2, 2, "avx512_4vnniw"}, {2, 3, "avx512_4fmaps"}, {2, 4, "fsrm"},      {2, 8, "avx512_vp2intersect"}, {2, 14, "serialize"},
    {2, 22, "amx_bf16"},   {2, 23, "avx512_fp16"}, {2, 24, "amx_tile"},    {2, 25, "amx_int8"},      {2, 36, "avx_vnni"},
    {2, 37, "avx512_bf16"}, {2, 53, "amx_fp16"},  {2, 55, "avx_ifma"},     {3, 0, "x87 state"},      {3, 1, "sse state"},
    {3, 2, "avx state"},   {3, 5, "avx512 state"}, {3, 6, "avx512 state"}, {3, 7, "avx512 state"},   {3, 9, "pku state"},
    {3, 17, "amx state"},  {3, 18, "amx state"},  {3, 32, "xsaveopt"},     {3, 33, "xsavec"},        {3, 34, "xgetbv1"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static uint64_t join(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* Register sets that the kernel keeps for programs; only where cpuid says osxsave. */
static uint32_t xcr0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

void cpu_features(uint64_t words[CPU_FEATURE_WORDS])
{
    uint64_t known[CPU_FEATURE_WORDS] = {0};
    uint32_t a, b, c = 0, d, leaf1 = 0, most;

    for (int i = 0; i < CPU_FEATURE_WORDS; i++)
        words[i] = 0;
    if (__get_cpuid(1, &a, &b, &leaf1, &d))
        words[0] = leaf1;
    if (__get_cpuid(0x80000001, &a, &b, &c, &d))
        words[0] = join(leaf1, c);
    if (__get_cpuid_count(7, 0, &most, &b, &c, &d)) {
        words[1] = join(b, c);
        a = 0;
        if (most >= 1)
            __get_cpuid_count(7, 1, &a, &b, &c, &leaf1);
        words[2] = join(d, a);
    }
    if (words[0] & 1u << 27) {
        if (!__get_cpuid_count(0xd, 1, &a, &b, &c, &d))
            a = 0;
        words[3] = join(xcr0(), a);
    }
    for (int i = 0; i < ROWS; i++)
        known[rows[i].word] |= 1ull << rows[i].bit;
    for (int i = 0; i < CPU_FEATURE_WORDS; i++)
        words[i] &= known[i];
}

const char *cpu_feature_name(unsigned word, unsigned bit)
{
    for (int i = 0; i < ROWS; i++)
        if (rows[i].word == word && rows[i].bit == bit)
            return rows[i].name;
    return "";
}
