import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { createServer } from "node:net";

/** A mail server on loopback that takes mail, unless it is told to answer a command otherwise. */
export class SmtpServer {
  /** What it has taken, as it came. */
  readonly taken: string[] = [];
  /** Every command that it was given. */
  readonly commands: string[] = [];
  /** Its answer to a command, where that is not the usual one. */
  answer: (command: string) => string | undefined = () => undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => {
      let rest = "";
      let data = false;
      const say = (line: string) => socket.write(`${line}\r\n`);
      say("220 test");
      socket.on("error", () => undefined);
      socket.on("data", (piece) => {
        rest += piece.toString();
        for (;;) {
          const end = data ? "\r\n.\r\n" : "\r\n";
          const at = rest.indexOf(end);
          if (at < 0) return;
          const text = rest.slice(0, at);
          rest = rest.slice(at + end.length);
          if (data) {
            data = false;
            const said = this.answer("end of data") ?? "250 taken";
            if (said.startsWith("250")) this.taken.push(text);
            say(said);
            continue;
          }
          this.commands.push(text);
          const usual = text === "DATA" ? "354 go on" : "250 fine";
          const said = this.answer(text) ?? usual;
          data = said.startsWith("354");
          say(said);
        }
      });
    });
  }

  static async start(): Promise<SmtpServer> {
    const made = new SmtpServer();
    made.#server.listen(0, "127.0.0.1");
    await once(made.#server, "listening");
    return made;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `smtp://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    await once(this.#server, "close");
  }
}
