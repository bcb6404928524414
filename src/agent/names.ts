/** Names of what an agent keeps in its run folder; verbs look there. */
export const controlSocketName = "control.sock";
export const pidFileName = "mirrorbeat.pid";
export const stateFileName = "state.json";
