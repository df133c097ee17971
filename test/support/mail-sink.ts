import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** A mail that the sink has taken: its headers as they came, unfolded, and all of it. */
export interface TakenMail {
  readonly to: string;
  readonly subject: string;
  readonly messageId: string;
  readonly source: string;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** aiosmtpd on loopback, which puts every mail into a folder. */
export class MailSink {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ReturnType<typeof spawn>;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    this.#process = spawn(
      "/usr/bin/python3",
      [
        ...["-m", "aiosmtpd", "-n", "-l", `127.0.0.1:${port}`],
        ...["-c", "aiosmtpd.handlers.Mailbox", folder],
      ],
      { stdio: "ignore" },
    );
  }

  /** Starts one that takes mail. @param folder that does not exist yet */
  static async start(folder: string): Promise<MailSink> {
    const sink = new MailSink(await freePort(), folder);
    for (let tries = 0; tries < 200; tries += 1) {
      const socket = connect(sink.port, "127.0.0.1");
      try {
        await once(socket, "data");
        return sink;
      } catch {
        await setTimeout(50); // it does not listen yet
      } finally {
        socket.destroy();
      }
    }
    sink.stop();
    throw new Error("aiosmtpd does not start: is python3-aiosmtpd installed?");
  }

  /** Every mail that it has taken so far, in the order of their arrival. */
  taken(): TakenMail[] {
    const folder = join(this.#folder, "new");
    // maildir(5): names begin with the time, then M and microseconds, then Q and a count.
    const count = (name: string) => Number(/Q(\d+)\./.exec(name)?.[1] ?? 0);
    return readdirSync(folder)
      .sort((one, other) => count(one) - count(other))
      .map((name) => {
        const source = readFileSync(join(folder, name), "utf8");
        const [head = ""] = source.split(/\r?\n\r?\n/, 1);
        const unfolded = head.replaceAll(/\r?\n[ \t]+/g, " ");
        const header = (wanted: string) =>
          new RegExp(`^${wanted}: (.*)$`, "im").exec(unfolded)?.[1] ?? "";
        return {
          to: header("X-RcptTo"),
          subject: header("Subject"),
          messageId: header("Message-ID"),
          source,
        };
      });
  }

  stop(): void {
    this.#process.kill();
  }
}
