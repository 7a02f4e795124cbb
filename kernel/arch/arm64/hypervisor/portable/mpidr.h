// How a guest's vCPUs are numbered by affinity: sixteen to a cluster, as many as the target list of
// ICC_SGI1R_EL1 names at once. Arm ARM, "MPIDR_EL1, Multiprocessor Affinity Register".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MPIDR_RES1          ((uint64_t)1 << 31)
#define MPIDR_CLUSTER_SHIFT 4
#define MPIDR_AFF0_MASK     0xfu
// Aff3 in 39:32, Aff2, Aff1 and Aff0 in 23:0.
#define MPIDR_AFFINITY_MASK 0xff00ffffffu

static inline uint64_t mpidr_of_vcpu(uint32_t vcpu_id)
{
    uint64_t cluster = vcpu_id >> MPIDR_CLUSTER_SHIFT;

    return MPIDR_RES1 | cluster << 8 | (vcpu_id & MPIDR_AFF0_MASK);
}

// The vCPU of an affinity value (bits as in MPIDR_EL1, all others zero). False: there can be none.
static inline bool mpidr_find_vcpu(uint64_t affinity, uint32_t vcpu_limit, uint32_t *vcpu_id)
{
    uint64_t id = (affinity >> 8 & 0xff) << MPIDR_CLUSTER_SHIFT | (affinity & 0xff);

    if (affinity & ~(uint64_t)0xff0f || id >= vcpu_limit)
        return false;
    *vcpu_id = (uint32_t)id;
    return true;
}
