package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.Errno;
import org.xenolith.abi.HvmOp;
import org.xenolith.abi.HvmParam;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.DomainMemory;
import org.xenolith.hypervisor.Vcpu;

/** hvm_op. */
final class HvmCalls {
    /** Vectors below are exceptions, or reserved for them. */
    private static final int FIRST_VECTOR = 0x10;

    private HvmCalls() {}

    static long hvmOp(Call call) {
        long pointer = call.argument(1);
        switch (call.intArgument(0)) {
            case HvmOp.SET_PARAM -> {
                Struct in = call.read(pointer, 16);
                setParam(call.ownDomain(in.u16(0)), in.u32(4), in.u64(8));
            }
            case HvmOp.GET_PARAM -> {
                Struct in = call.read(pointer, 16);
                in.putU64(8, getParam(call.ownDomain(in.u16(0)), in.u32(4)));
                call.write(pointer, in, 8, 8);
            }
            case HvmOp.FLUSH_TLBS -> {
                if (pointer != 0) {
                    return -Errno.EINVAL;
                }
                call.domain().flushTlbs();
            }
            case HvmOp.GET_TIME -> {
                Struct out = new Struct(8);
                out.putU64(0, call.domain().clock().now());
                call.write(pointer, out);
            }
            case HvmOp.GET_MEM_TYPE -> {
                Struct in = call.read(pointer, 16);
                in.putU16(2, memoryType(call.ownDomain(in.u16(0)), in.u64(8)));
                call.write(pointer, in, 2, 2);
            }
            case HvmOp.SET_EVTCHN_UPCALL_VECTOR -> {
                Struct in = call.read(pointer, 8);
                int vector = in.u8(4);
                if (vector < FIRST_VECTOR) {
                    return -Errno.EINVAL;
                }
                Vcpu vcpu = call.vcpu(in.u32(0));
                vcpu.setUpcallVector(vector);
            }
            default -> {
                // pagetable_dying is a hint for hypervisors that shadow page tables; the rest drives emulated devices.
                return -Errno.ENOSYS;
            }
        }
        return 0;
    }

    private static void setParam(Domain domain, long index, long value) {
        if (index >= HvmParam.COUNT) {
            throw Call.failure(Errno.EINVAL);
        }
        int known = (int) index;
        switch (known) {
            case HvmParam.CALLBACK_IRQ,
                    HvmParam.VM86_TSS,
                    HvmParam.VM86_TSS_SIZED,
                    HvmParam.ACPI_IOPORTS_LOCATION,
                    HvmParam.VM_GENERATION_ID_ADDR,
                    HvmParam.X87_FIP_WIDTH -> domain.setHvmParam(known, value);
            case HvmParam.STORE_EVTCHN, HvmParam.CONSOLE_EVTCHN -> {
                // Set once.
                if (domain.hvmParam(known) != 0 && domain.hvmParam(known) != value) {
                    throw Call.failure(Errno.EEXIST);
                }
                domain.setHvmParam(known, value);
            }
            default -> throw Call.failure(Errno.EPERM);
        }
    }

    private static long getParam(Domain domain, long index) {
        if (index >= HvmParam.COUNT) {
            throw Call.failure(Errno.EINVAL);
        }
        int known = (int) index;
        return switch (known) {
            case HvmParam.CALLBACK_IRQ,
                    HvmParam.VM86_TSS,
                    HvmParam.VM86_TSS_SIZED,
                    HvmParam.ACPI_IOPORTS_LOCATION,
                    HvmParam.VM_GENERATION_ID_ADDR,
                    HvmParam.STORE_PFN,
                    HvmParam.STORE_EVTCHN,
                    HvmParam.X87_FIP_WIDTH -> domain.hvmParam(known);
            case HvmParam.CONSOLE_PFN, HvmParam.CONSOLE_EVTCHN -> {
                // Success must mean that there is a ring: a guest would take frame 0 for one.
                if (domain.hvmParam(HvmParam.CONSOLE_PFN) == 0) {
                    throw Call.failure(Errno.EINVAL);
                }
                yield domain.hvmParam(known);
            }
            default -> throw Call.failure(Errno.EPERM);
        };
    }

    private static int memoryType(Domain domain, long gfn) {
        if (!DomainMemory.isValid(gfn) || domain.memory().map().frameForRead(gfn) == 0) {
            return HvmOp.MEM_MMIO_DM;
        }
        return domain.memory().map().frameForWrite(gfn) == 0 ? HvmOp.MEM_RAM_RO : HvmOp.MEM_RAM_RW;
    }
}
