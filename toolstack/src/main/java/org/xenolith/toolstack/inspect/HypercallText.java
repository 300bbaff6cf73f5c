package org.xenolith.toolstack.inspect;

import java.util.Arrays;
import java.util.Map;
import org.xenolith.abi.Errno;
import org.xenolith.abi.EventChannelOp;
import org.xenolith.abi.HvmOp;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.MemoryOp;
import org.xenolith.abi.SchedOp;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.abi.VcpuOp;
import org.xenolith.cpu.VcpuState;

/** Hypercalls as people write them: {@code event_channel_op(send, port 5) = 0}. */
public final class HypercallText {
    private static final String[] NAMES = {
        "set_trap_table",
        "mmu_update",
        "set_gdt",
        "stack_switch",
        "set_callbacks",
        "fpu_taskswitch",
        "sched_op_compat",
        "platform_op",
        "set_debugreg",
        "get_debugreg",
        "update_descriptor",
        "",
        "memory_op",
        "multicall",
        "update_va_mapping",
        "set_timer_op",
        "event_channel_op_compat",
        "xen_version",
        "console_io",
        "physdev_op_compat",
        "grant_table_op",
        "vm_assist",
        "update_va_mapping_otherdomain",
        "iret",
        "vcpu_op",
        "set_segment_base",
        "mmuext_op",
        "xsm_op",
        "nmi_op",
        "sched_op",
        "callback_op",
        "xenoprof_op",
        "event_channel_op",
        "physdev_op",
        "hvm_op",
        "sysctl",
        "domctl",
        "kexec_op",
        "tmem_op",
        "argo_op",
        "xenpmu_op",
        "dm_op",
        "hypfs_op"
    };

    private static final Map<Integer, String[]> OPERATIONS = Map.of(
            HypercallNumber.EVENT_CHANNEL_OP,
            new String[] {
                "bind_interdomain",
                "bind_virq",
                "bind_pirq",
                "close",
                "send",
                "status",
                "alloc_unbound",
                "bind_ipi",
                "bind_vcpu",
                "unmask",
                "reset",
                "init_control",
                "expand_array",
                "set_priority"
            },
            HypercallNumber.SCHED_OP,
            new String[] {
                "yield", "block", "shutdown", "poll", "remote_shutdown", "shutdown_code", "watchdog", "pin_override"
            },
            HypercallNumber.MEMORY_OP,
            new String[] {
                "increase_reservation",
                "decrease_reservation",
                "maximum_ram_page",
                "current_reservation",
                "maximum_reservation",
                "machphys_mfn_list",
                "populate_physmap",
                "add_to_physmap",
                "",
                "memory_map",
                "machine_memory_map",
                "exchange",
                "machphys_mapping",
                "set_memory_map",
                "maximum_gpfn",
                "remove_from_physmap",
                "set_pod_target",
                "get_pod_target",
                "get_sharing_freed_pages",
                "get_sharing_shared_pages",
                "paging_op",
                "access_op",
                "sharing_op",
                "add_to_physmap_batch",
                "claim_pages",
                "machphys_compat_mfn_list",
                "get_vnumainfo",
                "reserved_device_memory_map",
                "acquire_resource"
            },
            HypercallNumber.VCPU_OP,
            new String[] {
                "initialise",
                "up",
                "down",
                "is_up",
                "get_runstate_info",
                "register_runstate_memory_area",
                "set_periodic_timer",
                "stop_periodic_timer",
                "set_singleshot_timer",
                "stop_singleshot_timer",
                "register_vcpu_info",
                "send_nmi",
                "get_physid",
                "register_vcpu_time_memory_area"
            },
            HypercallNumber.GRANT_TABLE_OP,
            new String[] {
                "map_grant_ref",
                "unmap_grant_ref",
                "setup_table",
                "dump_table",
                "transfer",
                "copy",
                "query_size",
                "unmap_and_replace",
                "set_version",
                "get_status_frames",
                "get_version",
                "swap_grant_ref",
                "cache_flush"
            },
            HypercallNumber.XEN_VERSION,
            new String[] {
                "version",
                "extraversion",
                "compile_info",
                "capabilities",
                "changeset",
                "platform_parameters",
                "get_features",
                "pagesize",
                "guest_handle",
                "commandline",
                "build_id"
            },
            HypercallNumber.HVM_OP,
            new String[] {
                "set_param", "get_param", "set_pci_intx_level", "set_isa_irq_level", "set_pci_link_route", "flush_tlbs",
                "track_dirty_vram", "modified_memory", "set_mem_type", "pagetable_dying", "get_time", "xentrace",
                "set_mem_access", "get_mem_access", "inject_trap", "get_mem_type"
            },
            HypercallNumber.VM_ASSIST,
            new String[] {"enable", "disable"},
            HypercallNumber.CONSOLE_IO,
            new String[] {"write", "read"});

    /** How many arguments a hypercall has; two where nothing else is known. */
    private static final Map<Integer, Integer> ARGUMENTS = Map.of(
            HypercallNumber.SET_TIMER_OP, 1,
            HypercallNumber.CONSOLE_IO, 3,
            HypercallNumber.GRANT_TABLE_OP, 3,
            HypercallNumber.VCPU_OP, 3);

    private HypercallText() {}

    /** The name of a hypercall, or {@code hypercall_77}. */
    public static String name(long number) {
        return number >= 0 && number < NAMES.length && !NAMES[(int) number].isEmpty()
                ? NAMES[(int) number]
                : "hypercall_" + number;
    }

    /** The name of an operation, or its number. */
    static String operation(long number, long operation) {
        String[] names = number >= 0 && number < NAMES.length ? OPERATIONS.get((int) number) : null;
        return names != null && operation >= 0 && operation < names.length && !names[(int) operation].isEmpty()
                ? names[(int) operation]
                : Long.toString(operation);
    }

    /** A hypercall that has returned. */
    public static String format(VcpuState state, GuestView view, long number, long[] arguments, long result) {
        StringBuilder s = new StringBuilder(name(number)).append('(');
        boolean known = number >= 0 && number < NAMES.length && OPERATIONS.containsKey((int) number);
        int count = known || ARGUMENTS.containsKey((int) number) ? ARGUMENTS.getOrDefault((int) number, 2) : 5;
        long operation = number == HypercallNumber.MEMORY_OP ? arguments[0] & MemoryOp.MASK : (int) arguments[0];
        for (int i = 0; i < count; i++) {
            s.append(i > 0 ? ", " : "");
            s.append(i == 0 && known ? operation(number, operation) : "0x" + Long.toHexString(arguments[i]));
        }
        s.append(')');
        String details = details(state, view, (int) number, (int) operation, arguments);
        if (!details.isEmpty()) {
            s.append(" {").append(details).append('}');
        }
        return s.append(" = ").append(result(result)).toString();
    }

    static String result(long result) {
        return result < 0 && result >= -4095
                ? "-" + Errno.name((int) -result)
                : result > 9 ? "0x" + Long.toHexString(result) : Long.toString(result);
    }

    /** The fields of the structures that matter most. */
    private static String details(VcpuState state, GuestView view, int number, int operation, long[] arguments) {
        byte[] in = new byte[24];
        long pointer = number == HypercallNumber.VCPU_OP ? arguments[2] : arguments[1];
        if (!OPERATIONS.containsKey(number) || view.read(state, pointer, in, in.length) < in.length) {
            Arrays.fill(in, (byte) 0);
            if (number != HypercallNumber.CONSOLE_IO) {
                return "";
            }
        }
        return switch (number) {
            case HypercallNumber.EVENT_CHANNEL_OP ->
                switch (operation) {
                    case EventChannelOp.SEND, EventChannelOp.CLOSE, EventChannelOp.UNMASK -> "port " + u32(in, 0);
                    case EventChannelOp.BIND_VIRQ ->
                        "virq " + u32(in, 0) + " vcpu " + u32(in, 4) + " port " + u32(in, 8);
                    case EventChannelOp.BIND_IPI -> "vcpu " + u32(in, 0) + " port " + u32(in, 4);
                    case EventChannelOp.BIND_VCPU -> "port " + u32(in, 0) + " vcpu " + u32(in, 4);
                    case EventChannelOp.BIND_INTERDOMAIN ->
                        "domain " + (u32(in, 0) & 0xffff) + " remote " + u32(in, 4) + " port " + u32(in, 8);
                    case EventChannelOp.ALLOC_UNBOUND -> "remote domain " + (u32(in, 0) >>> 16) + " port " + u32(in, 4);
                    case EventChannelOp.SET_PRIORITY -> "port " + u32(in, 0) + " priority " + u32(in, 4);
                    case EventChannelOp.EXPAND_ARRAY -> "gfn 0x" + Long.toHexString(u64(in, 0));
                    case EventChannelOp.INIT_CONTROL ->
                        "gfn 0x" + Long.toHexString(u64(in, 0)) + " vcpu " + u32(in, 12);
                    default -> "";
                };
            case HypercallNumber.SCHED_OP ->
                operation == SchedOp.SHUTDOWN || operation == SchedOp.SHUTDOWN_CODE
                        ? ShutdownReason.name((int) u32(in, 0))
                        : "";
            case HypercallNumber.HVM_OP ->
                operation == HvmOp.SET_PARAM || operation == HvmOp.GET_PARAM
                        ? "param " + u32(in, 4) + " value 0x" + Long.toHexString(u64(in, 8))
                        : "";
            case HypercallNumber.VCPU_OP ->
                switch (operation) {
                    case VcpuOp.SET_SINGLESHOT_TIMER -> String.format("at %.6f s", u64(in, 0) / 1e9);
                    case VcpuOp.REGISTER_VCPU_INFO ->
                        "gfn 0x" + Long.toHexString(u64(in, 0)) + " offset 0x" + Long.toHexString(u32(in, 8));
                    default -> "";
                };
            case HypercallNumber.MEMORY_OP ->
                operation == MemoryOp.ADD_TO_PHYSMAP
                        ? "space " + u32(in, 4) + " index " + u64(in, 8) + " gfn 0x" + Long.toHexString(u64(in, 16))
                        : "";
            default -> "";
        };
    }

    private static long u32(byte[] bytes, int at) {
        return (bytes[at] & 0xff | (bytes[at + 1] & 0xff) << 8 | (bytes[at + 2] & 0xff) << 16 | bytes[at + 3] << 24)
                & 0xffffffffL;
    }

    private static long u64(byte[] bytes, int at) {
        return u32(bytes, at) | u32(bytes, at + 4) << 32;
    }
}
