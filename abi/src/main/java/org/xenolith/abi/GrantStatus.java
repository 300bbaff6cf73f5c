package org.xenolith.abi;

/** Results of one element of a {@link GrantTableOp}. */
public final class GrantStatus {
    public static final int OKAY = 0;
    public static final int GENERAL_ERROR = -1;
    public static final int BAD_DOMAIN = -2;
    public static final int BAD_REF = -3;
    public static final int BAD_HANDLE = -4;
    public static final int BAD_VIRTUAL_ADDRESS = -5;
    public static final int BAD_DEVICE_ADDRESS = -6;
    public static final int NO_DEVICE_SPACE = -7;
    public static final int PERMISSION_DENIED = -8;
    public static final int BAD_PAGE = -9;
    public static final int BAD_COPY_ARGUMENT = -10;
    public static final int ADDRESS_TOO_BIG = -11;
    public static final int AGAIN = -12;
    public static final int NO_SPACE = -13;

    private GrantStatus() {}
}
