import { refused } from "../../lib/domain/error.ts";
import type { Command } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { stableSuite } from "../../lib/domain/promotion.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: Command<{
  name: string;
  series?: string;
  stable?: true;
}> = {
  changes: false,
  define: (command) =>
    command
      .argument("[name]", "archive, or the name of a PPA", "archive")
      .option(
        "--series <series>",
        "series (default: the PPA's ticket's, else the only or first one of `init`)",
      )
      .option(
        "--stable",
        "the suite that shows what was promoted (default: what landed)",
      ),
  examples: [
    "apt-source > /etc/apt/sources.list.d/ubuntu-ci.sources",
    "apt-source ci_pool-001 --series bookworm",
    "apt-source archive --stable",
  ],
  check({ name, stable }) {
    if (stable === true && name !== "archive")
      throw refused("--stable goes with the archive alone");
  },
  async run(context, { name, series: wanted, stable }) {
    const { knownSeries } = await import("../../lib/tickets/known-series.ts");
    const { archive, pool } = context.backends();
    const kept = await archive();
    // A restored state has its archive before it has bases again.
    const published =
      name === "archive" && (await kept.exists()) ? await kept.series() : [];
    const known = [
      ...new Set([
        ...knownSeries(context.paths, context.config),
        ...published.toSorted(),
      ]),
    ];
    const { listPpas } = await import("../../lib/state/ppas.ts");
    const { findTicket } = await import("../../lib/state/tickets.ts");
    const db = await context.db();
    const ppa = listPpas(db).find((candidate) => candidate.name === name);
    if (name !== "archive" && ppa === undefined)
      throw refused(
        `there is no PPA ${JSON.stringify(name)}`,
        advice`${remedy("ppa list")} shows the pool`,
      );
    const ofTicket =
      ppa?.ticket == null ? undefined : findTicket(db, ppa.ticket)?.series;
    const series = wanted ?? ofTicket ?? known[0];
    if (series === undefined || !known.includes(series)) {
      throw refused(
        series === undefined
          ? "no series is known yet"
          : `series ${series} is not known`,
        known.length === 0
          ? remedy("init", [], { series: "NAME" })
          : `known: ${known.join(", ")}`,
      );
    }
    if (ppa !== undefined && ofTicket === undefined)
      throw refused(`${name} is ${ppa.state}: it publishes nothing`);
    if (stable === true) await requirePromoted(context, series);
    const repository =
      ppa === undefined
        ? await kept.repository(stable === true ? stableSuite(series) : series)
        : await (await pool()).repository(name, series);
    const { aptSource } =
      await import("../../lib/backends/archive/apt-source.ts");
    const url = ppa === undefined ? context.config.get("archive.url") : null;
    const text = aptSource(repository, url ?? undefined);
    return { text: text.trimEnd(), value: { name, series, source: text } };
  },
};

/** @throws UbuntuCiError (2) when nothing was promoted yet: the suite would not be there */
async function requirePromoted(
  context: CommandContext,
  series: string,
): Promise<void> {
  const { deployedRevision } = await import("../../lib/state/promotions.ts");
  if (deployedRevision(await context.db(), series) !== null) return;
  throw refused(
    `nothing of ${series} was promoted yet`,
    advice`${remedy("archive promote", [], { series })} does`,
  );
}
