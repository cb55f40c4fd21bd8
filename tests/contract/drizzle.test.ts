// Drizzle's libSQL driver over each client: what an application built on an ORM asks of it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql";
import { migrate } from "drizzle-orm/libsql/migrator";
import { blob, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { expect, onTestFinished, test } from "vitest";
import { codesOf, contract, onlyValue, rejection } from "./contract.ts";

const authors = sqliteTable("authors", {
  id: integer().primaryKey({ autoIncrement: true }),
  name: text().notNull().unique(),
  born: integer({ mode: "timestamp_ms" }),
});

const books = sqliteTable("books", {
  id: integer().primaryKey({ autoIncrement: true }),
  authorId: integer("author_id")
    .notNull()
    .references(() => authors.id),
  title: text().notNull(),
  isPrinted: integer("is_printed", { mode: "boolean" }).notNull().default(true),
  price: real(),
  cover: blob({ mode: "buffer" }),
  tags: text({ mode: "json" }).$type<string[]>(),
});

const schema = {
  authors,
  books,
  authorRelations: relations(authors, ({ many }) => ({ books: many(books) })),
  bookRelations: relations(books, ({ one }) => ({
    author: one(authors, { fields: [books.authorId], references: [authors.id] }),
  })),
};

const migrationsFolder = join(import.meta.dirname, "migrations");

contract("drizzle", (peer) => {
  /** A migrated database without rows. */
  const withSchema = async () => {
    const db = drizzle(peer.open(), { schema });
    await migrate(db, { migrationsFolder });
    await db.delete(books);
    await db.delete(authors);
    return db;
  };

  const withAuthor = async () => {
    const db = await withSchema();
    const [author] = await db.insert(authors).values({ name: "Jane" }).returning();
    if (author === undefined) throw new Error("the insert returned no row");
    return { db, author };
  };

  test("migrate applies the folder once", async () => {
    const db = drizzle(peer.open(), { schema });
    await migrate(db, { migrationsFolder });
    await migrate(db, { migrationsFolder });
    expect(onlyValue(await db.$client.execute("SELECT COUNT(*) FROM __drizzle_migrations"))).toBe(2);
    const tables = await db.all<{ name: string }>(
      sql`SELECT name FROM sqlite_master WHERE name IN ('authors', 'books') ORDER BY name`,
    );
    expect(tables).toStrictEqual([{ name: "authors" }, { name: "books" }]);
  });

  test("migrate of a folder without migrations is an error", async () => {
    const folder = await mkdtemp(join(tmpdir(), "seawall-migrations-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await rejection(migrate(drizzle(peer.open()), { migrationsFolder: folder }));
  });

  test("insert and select keep every kind of column", async () => {
    const { db, author } = await withAuthor();
    const book = {
      authorId: author.id,
      title: 'Pride & "Prejudice" 🏰',
      isPrinted: false,
      price: 12.5,
      cover: Buffer.from([0, 1, 254, 255]),
      tags: ["novel", "1813"],
    };
    const [inserted] = await db.insert(books).values(book).returning();
    expect(inserted).toMatchObject({ ...book, id: expect.any(Number) });
    const [selected] = await db.select().from(books).where(eq(books.title, book.title));
    expect(selected).toStrictEqual(inserted);
    expect(selected?.cover).toBeInstanceOf(Buffer);
  });

  test("a timestamp comes back as the Date it was", async () => {
    const db = await withSchema();
    const born = new Date("1775-12-16T01:02:03.004Z");
    await db.insert(authors).values({ name: "Jane", born });
    expect((await db.select({ born: authors.born }).from(authors)).at(0)?.born).toStrictEqual(born);
  });

  test("get gives one row or undefined, values gives lists", async () => {
    const { db, author } = await withAuthor();
    expect(await db.select({ name: authors.name }).from(authors).get()).toStrictEqual({ name: "Jane" });
    expect(await db.select().from(authors).where(eq(authors.id, -1)).get()).toBeUndefined();
    const values = await db.select({ id: authors.id, name: authors.name }).from(authors).values();
    expect(values.map((row) => Array.from(row as ArrayLike<unknown>))).toStrictEqual([[author.id, "Jane"]]);
  });

  test("run tells how many rows changed", async () => {
    const { db } = await withAuthor();
    const result = await db.update(authors).set({ name: "Jane Austen" }).run();
    expect(result.rowsAffected).toBe(1);
    expect((await db.delete(authors)).rowsAffected).toBe(1);
  });

  test("a prepared statement runs with other values each time", async () => {
    const db = await withSchema();
    await db.insert(authors).values([{ name: "a" }, { name: "b" }]);
    const byName = db
      .select({ name: authors.name })
      .from(authors)
      .where(eq(authors.name, sql.placeholder("name")))
      .prepare();
    expect(await byName.all({ name: "a" })).toStrictEqual([{ name: "a" }]);
    expect(await byName.all({ name: "b" })).toStrictEqual([{ name: "b" }]);
  });

  test("a join of two tables with columns of one name keeps both", async () => {
    const { db, author } = await withAuthor();
    await db.insert(books).values([
      { authorId: author.id, title: "first" },
      { authorId: author.id, title: "second" },
    ]);
    const rows = await db.select().from(books).innerJoin(authors, eq(books.authorId, authors.id)).orderBy(books.id);
    expect(rows.map((row) => [row.books.title, row.authors.name])).toStrictEqual([
      ["first", "Jane"],
      ["second", "Jane"],
    ]);
    expect(rows[1]?.books.id).not.toBe(rows[1]?.authors.id);
  });

  test("a relational query nests what belongs together", async () => {
    const { db, author } = await withAuthor();
    await db.insert(books).values([
      { authorId: author.id, title: "first", tags: ["x"] },
      { authorId: author.id, title: "second" },
    ]);
    const found = await db.query.authors.findMany({ with: { books: { columns: { title: true, tags: true } } } });
    expect(found).toStrictEqual([
      {
        id: author.id,
        name: "Jane",
        born: null,
        books: [
          { title: "first", tags: ["x"] },
          { title: "second", tags: null },
        ],
      },
    ]);
    const book = await db.query.books.findFirst({ where: eq(books.title, "second"), with: { author: true } });
    expect(book?.author).toStrictEqual({ id: author.id, name: "Jane", born: null });
  });

  test("a transaction commits what it did", async () => {
    const db = await withSchema();
    const id = await db.transaction(async (tx) => {
      const [author] = await tx.insert(authors).values({ name: "Jane" }).returning({ id: authors.id });
      if (author === undefined) throw new Error("the insert returned no row");
      await tx.insert(books).values({ authorId: author.id, title: "inside" });
      expect(await tx.query.books.findMany()).toHaveLength(1);
      return author.id;
    });
    expect(await db.query.authors.findMany({ with: { books: true } })).toMatchObject([
      { id, books: [{ title: "inside" }] },
    ]);
  });

  test("a transaction that throws is rolled back and rethrows", async () => {
    const db = await withSchema();
    const own = new Error("the application's own");
    const failed = db.transaction(async (tx) => {
      await tx.insert(authors).values({ name: "Jane" });
      throw own;
    });
    expect(await rejection(failed)).toBe(own);
    expect(await db.select().from(authors)).toStrictEqual([]);
  });

  test("tx.rollback undoes the transaction", async () => {
    const db = await withSchema();
    await rejection(
      db.transaction(async (tx) => {
        await tx.insert(authors).values({ name: "Jane" });
        tx.rollback();
      }),
    );
    expect(await db.select().from(authors)).toStrictEqual([]);
  });

  test("a transaction whose first statement is not understood rejects with that error", async () => {
    const db = await withSchema();
    const failed = db.transaction((tx) => tx.run(sql.raw("SELEKT 1")));
    expect(codesOf(await rejection(failed))).toContain("SQL_PARSE_ERROR");
  });

  test("a nested transaction is undone alone", async () => {
    const db = await withSchema();
    await db.transaction(async (tx) => {
      await tx.insert(authors).values({ name: "outer" });
      await tx
        .transaction(async (inner) => {
          await inner.insert(authors).values({ name: "inner" });
          throw new Error("only the inner one");
        })
        .catch(() => undefined);
    });
    expect(await db.select({ name: authors.name }).from(authors)).toStrictEqual([{ name: "outer" }]);
  });

  test("batch runs everything or nothing, each with its own kind of result", async () => {
    const { db, author } = await withAuthor();
    const [inserted, selected, updated, found] = await db.batch([
      db.insert(books).values({ authorId: author.id, title: "batched" }).returning({ title: books.title }),
      db.select({ name: authors.name }).from(authors),
      db.update(books).set({ price: 1 }),
      db.query.authors.findFirst({ with: { books: { columns: { title: true, price: true } } } }),
    ]);
    expect(inserted).toStrictEqual([{ title: "batched" }]);
    expect(selected).toStrictEqual([{ name: "Jane" }]);
    expect(updated.rowsAffected).toBe(1);
    expect(found?.books).toStrictEqual([{ title: "batched", price: 1 }]);

    const failed = db.batch([
      db.insert(authors).values({ name: "never" }),
      db.insert(authors).values({ name: "Jane" }),
    ]);
    expect(codesOf(await rejection(failed))).toContain("SQLITE_CONSTRAINT");
    expect(await db.select({ name: authors.name }).from(authors)).toStrictEqual([{ name: "Jane" }]);
  });

  test("an error of the database is found under drizzle's own", async () => {
    const { db } = await withAuthor();
    const error = await rejection(db.insert(authors).values({ name: "Jane" }));
    expect(codesOf(error)).toContain("SQLITE_CONSTRAINT");
    let lowest: unknown = error;
    while (lowest instanceof Error && !(lowest instanceof peer.LibsqlError)) lowest = lowest.cause;
    expect(lowest).toBeInstanceOf(peer.LibsqlError);
  });

  test("forty inserts at once are all kept", async () => {
    const db = await withSchema();
    await Promise.all(Array.from({ length: 40 }, (_, i) => db.insert(authors).values({ name: `author ${i}` })));
    expect(await db.$count(authors)).toBe(40);
  });
});
