/* SPDX-License-Identifier: MIT */
/*
 * text.h - other people's strings on our terminal: made harmless, measured, put in columns.
 *
 * Theory of operation
 *
 * Names and labels come from containers. text_safe() turns whatever could move
 * the cursor, end a line or hide text (control characters, bytes that are not
 * UTF-8, bidirectional overrides, invisible characters) into visible escapes;
 * text_width() and text_cut() count columns, for a character takes none, one
 * or two. A text_table collects rows of safe cells and prints them aligned.
 *
 * Text is taken as UTF-8 whatever the locale says: no setlocale() is needed.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "compiler.h"

/*
 * text_decode() - The character at the start of the @len > 0 bytes of @s.
 *
 * Return: its length in bytes, and it in *@ret; 0 if it is not well-formed UTF-8.
 */
size_t text_decode(const char *s, size_t len, uint32_t *ret);

/* Control characters, and those without a glyph or that change the order of others. */
bool text_invisible(uint32_t c);

/*
 * text_safe() - A copy of @s with nothing in it that a terminal acts on.
 *
 * \n, \t and \\ as in C, other bytes as \xNN, invisible characters as \u{NNNN}.
 * Return: the caller's to free; NULL without memory.
 */
char *text_safe(const char *s) _must_check_;

/* Columns that @s takes; a byte that is not UTF-8 counts one. */
size_t text_width(const char *s);

/*
 * Shorten @s in place to at most @columns: of text_cut() the beginning stays, of
 * text_cut_front() the end. "..." stands for the rest where there is room for it.
 */
void text_cut(char *s, size_t columns);
void text_cut_front(char *s, size_t columns);

#define TEXT_COLUMNS_MAX 16

struct text_table {
	size_t ncolumns; /* <= TEXT_COLUMNS_MAX */
	char **cells;    /* row by row, owned */
	size_t n, room;
};
#define TEXT_TABLE_INIT(columns)      \
	{                             \
		.ncolumns = (columns) \
	}

/* Add a row of @ncolumns strings, NULL for an empty one; they are copied through text_safe(). */
int text_table_add(struct text_table *t, const char *const *row) _must_check_;

/* Columns of the terminal @fd; 0 if it is none, or does not know. */
size_t text_columns(int fd);

/* A column that may be cut where a row is too wide. */
struct text_flex {
	size_t column;
	size_t least; /* columns that stay */
	bool keep_end;
};

/*
 * text_table_print() - Print the rows, aligned, two blanks between columns.
 *
 * If @width is not 0 and a row is wider, the columns of @flex are cut, the first one
 * first; what is too wide even then is left to wrap.
 */
void text_table_print(struct text_table *t, FILE *f, size_t width, const struct text_flex *flex,
		      size_t nflex);

void text_table_fini(struct text_table *t);
#define _cleanup_text_table_ _cleanup_(text_table_fini)

#endif
