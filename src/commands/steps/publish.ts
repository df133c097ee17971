import { stepCommand } from "./step-command.ts";

export const command = stepCommand("publish");
