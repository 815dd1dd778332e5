/** Something the workbench was given and cannot work with. The message names it, the rule and the fix. */
export class Refusal extends Error {}
