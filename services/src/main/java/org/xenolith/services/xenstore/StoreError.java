package org.xenolith.services.xenstore;

/** The error names that the wire protocol knows; clients compare them as text. */
public enum StoreError {
    /** The request, a path or a number is malformed. */
    EINVAL,
    EACCES,
    EEXIST,
    EISDIR,
    ENOENT,
    ENOMEM,
    /** A quota is used up. */
    ENOSPC,
    EIO,
    ENOTEMPTY,
    ENOSYS,
    EROFS,
    EBUSY,
    /** The transaction lost a race: try again. */
    EAGAIN,
    EISCONN,
    /** The answer, or the number of watches, is too large. */
    E2BIG,
    EPERM
}
