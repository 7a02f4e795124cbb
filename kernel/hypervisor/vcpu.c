// vCPUs; see vcpu.h.
#include "kernel/hypervisor/vcpu.h"

#include "kernel/hypervisor/guest.h"

#define VCPU_RIGHTS                                                                               \
    (MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_EXECUTE | \
     MX_RIGHT_SIGNAL | MX_RIGHT_INSPECT | MX_RIGHT_WAIT)

static struct spinlock vcpu_binding_lock = SPINLOCK_INIT;

static void unbind_thread(struct vcpu *vcpu)
{
    arch_interrupt_state_t state = spin_lock(&vcpu_binding_lock);

    if (vcpu->thread)
        vcpu->thread->vcpu = NULL;
    vcpu->thread = NULL;
    spin_unlock(&vcpu_binding_lock, state);
}

void vcpu_thread_ended(struct thread *thread)
{
    arch_interrupt_state_t state = spin_lock(&vcpu_binding_lock);

    if (thread->vcpu)
        thread->vcpu->thread = NULL;
    thread->vcpu = NULL;
    spin_unlock(&vcpu_binding_lock, state);
}

static void leave_guest(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    arch_interrupt_state_t state = spin_lock(&guest->vcpus_lock);

    guest->vcpus[vcpu->id] = NULL;
    guest->vcpu_count--;
    spin_unlock(&guest->vcpus_lock, state);
}

static void vcpu_destroy(struct object *object)
{
    struct vcpu *vcpu = vcpu_from_object(object);
    struct guest *guest = vcpu->guest;

    unbind_thread(vcpu);
    leave_guest(vcpu);
    arch_vcpu_destroy(vcpu);
    object_free(guest->job, vcpu, sizeof(*vcpu));
    object_release(&guest->object);
}

static const struct object_ops vcpu_ops = {
    .type = MX_OBJECT_VCPU,
    .default_rights = VCPU_RIGHTS,
    .destroy = vcpu_destroy,
};

// Takes the vCPU's place in the guest.
static mx_status_t join_guest(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    mx_status_t status = MX_ERR_ALREADY_EXISTS;
    arch_interrupt_state_t state = spin_lock(&guest->vcpus_lock);

    if (!guest->vcpus[vcpu->id]) {
        guest->vcpus[vcpu->id] = vcpu;
        guest->vcpu_count++;
        status = MX_OK;
    }
    spin_unlock(&guest->vcpus_lock, state);
    return status;
}

mx_status_t vcpu_create(struct guest *guest, uint32_t id, uint32_t options, struct vcpu **out)
{
    mx_status_t status;
    struct vcpu *vcpu;

    if (thread_current()->vcpu)
        return MX_ERR_BAD_STATE;
    if (id >= MX_GUEST_MAX_VCPUS)
        return MX_ERR_OUT_OF_RANGE;
    vcpu = object_alloc(guest->job, sizeof(*vcpu));
    if (!vcpu)
        return MX_ERR_NO_MEMORY;
    vcpu->guest = guest;
    vcpu->id = id;
    vcpu->options = options;
    vcpu->guest_cpu = VCPU_NO_CPU;
    wait_queue_init(&vcpu->waiters);
    status = arch_vcpu_init(vcpu);
    if (status != MX_OK)
        goto out_free;
    status = join_guest(vcpu);
    if (status != MX_OK)
        goto out_arch;
    object_init(&vcpu->object, &vcpu_ops);
    object_reference(&guest->object);
    vcpu->thread = thread_current();
    vcpu->thread->vcpu = vcpu;
    *out = vcpu;
    return MX_OK;

out_arch:
    arch_vcpu_destroy(vcpu);
out_free:
    object_free(guest->job, vcpu, sizeof(*vcpu));
    return status;
}

void vcpu_kick(struct vcpu *vcpu)
{
    __atomic_store_n(&vcpu->is_kicked, 1, __ATOMIC_SEQ_CST);
    arch_vcpu_notify(vcpu);
}

void vcpu_block(struct vcpu *vcpu, bool (*must_run)(struct vcpu *vcpu))
{
    arch_interrupt_state_t state = spin_lock(&sched_lock);

    // Pairs with the look at is_blocked in vcpu_wake, which comes after what was changed.
    __atomic_store_n(&vcpu->is_blocked, 1, __ATOMIC_SEQ_CST);
    if (must_run(vcpu)) {
        __atomic_store_n(&vcpu->is_blocked, 0, __ATOMIC_RELAXED);
        spin_unlock(&sched_lock, state);
        return;
    }
    // Why it ended does not matter: the run loop looks at everything again.
    (void)wait_queue_block_locked(&vcpu->waiters, MX_TIME_INFINITE, true, state);
    __atomic_store_n(&vcpu->is_blocked, 0, __ATOMIC_RELAXED);
}

void vcpu_wake(struct vcpu *vcpu)
{
    if (!__atomic_load_n(&vcpu->is_blocked, __ATOMIC_SEQ_CST))
        return;
    wait_queue_wake_one(&vcpu->waiters, MX_OK);
}

void vcpu_get_info(const struct vcpu *vcpu, struct mx_info_vcpu *out)
{
    *out = (struct mx_info_vcpu){
        .id = vcpu->id,
        .is_blocked = __atomic_load_n(&vcpu->is_blocked, __ATOMIC_RELAXED),
        .run_time_ns = vcpu->run_time_ns,
        .stats = vcpu->stats,
    };
}
