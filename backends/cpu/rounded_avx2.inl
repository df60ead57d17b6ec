#define SCOUT_ROUNDED_KERNELS(table)  \
  {                                   \
    const Kernels& g = *GenericKernels(); \
    (table).q4_0 = g.q4_0; (table).q4_1 = g.q4_1; (table).q5_0 = g.q5_0; (table).q5_1 = g.q5_1; (table).q8_0 = g.q8_0; \
    (table).q2_k = g.q2_k; (table).q3_k = g.q3_k; (table).q4_k = g.q4_k; (table).q5_k = g.q5_k; (table).q6_k = g.q6_k; \
    (table).round32 = g.round32; (table).round256 = g.round256; \
  }
