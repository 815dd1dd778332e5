/** A mistake that a user can repair: the message names the value, the rule and the fix. It is printed as it is, without a stack trace. */
export class UserError extends Error {}
