import type { Command, Result } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { ExitCode } from "../../lib/domain/error.ts";
import { unmailableInWords } from "../../lib/domain/reminder.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";
import type {
  RemindPlan,
  Reminding,
} from "../../lib/shepherd/plan-reminders.ts";
import type { Reminded } from "../../lib/shepherd/remind.ts";

export const command: Command<object, RemindPlan> = {
  changes: true,
  locks: [{ name: "remind" }],
  whenInterrupted:
    "mails that were sent are not sent again; the next pass sends the others",
  examples: ["remind --dry-run", "remind"],
  notes: `Owners are told at once that a ticket failed or is published, and once a day what needs testing; the
list (remind.list) is told what needs somebody: at once, after a day, then after twice as long each time,
thirty days at most. Everybody gets one mail with all there is. mail.* says how mail is sent, remind.* to
whom; --dry-run prints the mails.`,
  async plan(context) {
    const { planReminders } =
      await import("../../lib/shepherd/plan-reminders.ts");
    return (await planReminders(await remindingOf(context))).plan;
  },
  describe: (plan) => ({ text: mailsText(plan), value: { plan } }),
  async run(context) {
    const { remind } = await import("../../lib/shepherd/remind.ts");
    const value = await remind(await remindingOf(context), context.signal);
    for (const { to, reason } of value.refused)
      context.warn(`the mail to ${to} was refused: ${reason}`);
    return resultOf(value);
  },
};

async function remindingOf(context: CommandContext): Promise<Reminding> {
  const { paths, config, actor, store } = context;
  return { db: await context.db(), paths, config, actor, store };
}

function resultOf(value: Reminded): Result {
  const { configured, sent, refused, unmailable, later } = value;
  if (!configured)
    return {
      text: advice`no mail is configured: set mail.smtp or mail.sendmail (${remedy("config", [], { sample: true })} shows how)`,
      value,
    };
  const lines = [
    ...sent.map(({ to, subject }) => `sent to ${to}: ${subject}`),
    ...refused.map(({ to, reason }) => `refused for ${to}: ${reason}`),
    ...unmailable.map(unmailableInWords),
    ...later.map(({ to, reason }) => `not now to ${to}: ${reason}`),
  ];
  return {
    text: lines.join("\n") || "nobody needs to be reminded",
    value,
    ...(later.length > 0 && { exitCode: ExitCode.notNow }),
  };
}

/** The mails as text, one below the other. */
function mailsText({ again, mails, unmailable }: RemindPlan): string {
  return (
    [
      ...again.map(({ to, subject }) => `send again to ${to}: ${subject}\n`),
      ...mails.map(
        ({ to, subject, text }) => `To: ${to}\nSubject: ${subject}\n\n${text}`,
      ),
      ...unmailable.map((one) => `${unmailableInWords(one)}\n`),
    ].join("\n") || "nobody needs to be reminded"
  );
}
