// The binary load plan: what the engine reads from which file into which bytes of which rank's image. TypeScript writes
// it (runtime/engine/load-plan.ts) from the compiler's manifest and the checkpoint's headers; this file maps it.
//
// Vocabulary: an *item* is one packed weight of one rank or one plain array, or the same of several *experts*, one after
// the other. Its *table* lists the rows in the order the image wants them; each entry names one of the item's *sources* (rows
// of a tensor, or a generator of synthetic numbers), the row within it, and the row of its scales. An entry with source -1
// is a row of zeros. Each expert has sources of its own and all share the table.
// Invariants: little endian, every array starts at a multiple of 8; `load_plan_of` checks every index and every extent
// against the arrays before anything is loaded, so the loader need not.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "../common/args.h"

namespace tile {

enum class Format : u32 { f32, bf16, e4m3, e2m1, count };
enum class ItemKind : u32 { plain, tiles, count };
enum class SourceKind : u32 { file, synthetic, count };

constexpr u32 load_plan_magic = 0x314C5054;  // "TPL1"

struct LoadHeader {
  u32 magic, ranks, files, tables, rows, sources, items, string_bytes;
  u64 image_bytes, kv_bytes;
};
struct LoadFile {
  u64 bytes;  // how long the file must be at least
  u32 path, path_length;
};
struct LoadTable {
  u32 first, count;
};
struct LoadRow {
  int source, row, scale_row;
};
struct LoadSource {
  SourceKind kind;
  Format format;      // how the tensor stores its numbers
  u32 file, scale_file;
  u64 at, row_bytes;  // of the codes
  u64 scale_at, scale_row_bytes;
  u32 seed;  // synthetic: key of the generator; numbers have this mean and amplitude
  float mean, amplitude;
  u32 padding;
};
struct LoadItem {
  u32 rank;
  ItemKind kind;
  Format format;  // in the image
  u32 table, first_source, sources /* of an expert */, name, name_length;
  u64 image_at, expert_bytes;  // of the first expert, and of each
  u32 experts, first_expert;   // at least one; the number of the first, for messages
  u32 first_column, columns;
  // tiles: page p, cell c belong to tile p / pages_per_tile * tiles_per_page + c / cells_per_tile and begin at unit
  // p % pages_per_tile * page_unit_stride + c % cells_per_tile * cell_unit_stride
  u32 pages, page_bytes, cells, cell_bytes, units, pages_per_tile, tiles_per_page, cells_per_tile, page_unit_stride, cell_unit_stride;
};

inline u64 source_columns_bytes(Format format, u64 columns) {
  return format == Format::f32 ? columns * 4 : format == Format::bf16 ? columns * 2 : format == Format::e4m3 ? columns : columns / 2;
}

struct LoadPlan {
  const LoadHeader* header;
  const LoadFile* files;
  const LoadTable* tables;
  const LoadRow* rows;
  const LoadSource* sources;
  const LoadItem* items;
  const char* strings;

  std::string text(u32 at, u32 length) const { return std::string(strings + at, length); }
  std::string item_name(const LoadItem& item) const { return text(item.name, item.name_length); }
  std::string item_name(const LoadItem& item, u32 expert) const {
    return item.experts == 1 && item.first_expert == 0 ? item_name(item) : item_name(item) + ", expert " + std::to_string(item.first_expert + expert);
  }
  u64 item_bytes(const LoadItem& item) const {
    return item.kind == ItemKind::tiles ? u64(item.pages) * item.page_bytes : u64(tables[item.table].count) * source_columns_bytes(item.format, item.columns);
  }
};

namespace load_plan_detail {
template <class T>
inline bool take(const char*& at, const char* end, u32 count, const T*& out) {
  const u64 bytes = (u64(count) * sizeof(T) + 7) / 8 * 8;
  if (u64(end - at) < bytes) return false;
  out = reinterpret_cast<const T*>(at);
  at += bytes;
  return true;
}
}  // namespace load_plan_detail

namespace load_plan_detail {
/** What is wrong with the sources of one expert, whose rows go up to `last` (-1: unused). */
inline std::string check_source(const LoadPlan& plan, const LoadItem& item, const LoadSource& source, const LoadRow& last) {
  const LoadHeader& h = *plan.header;
  const auto is_plain = [](Format f) { return f == Format::f32 || f == Format::bf16; };
  if (source.kind >= SourceKind::count || source.format >= Format::count || (is_plain(item.format) ? !is_plain(source.format) : source.format != item.format))
    return "is made from a source of another format";
  if (source.kind != plan.sources[item.first_source].kind) return "mixes files and synthetic sources";
  if (source.kind != SourceKind::file || last.row < 0) return "";
  const bool scaled = !is_plain(item.format);
  if (source.file >= h.files || (scaled && source.scale_file >= h.files)) return "has a source in a file that is not listed";
  const u64 columns = u64(item.first_column) + item.columns;
  if (source.at + u64(last.row) * source.row_bytes + source_columns_bytes(source.format, columns) > plan.files[source.file].bytes) return "reads past the end of its file";
  const u64 scale_columns = item.format == Format::e4m3 ? (columns + 127) / 128 * 4 : columns / 32;
  if (scaled && source.scale_at + u64(last.scale_row) * source.scale_row_bytes + scale_columns > plan.files[source.scale_file].bytes)
    return "reads scales past the end of their file";
  return "";
}

inline std::string check_item(const LoadPlan& plan, const LoadItem& item) {
  const LoadHeader& h = *plan.header;
  if (item.rank >= h.ranks || item.kind >= ItemKind::count || item.format >= Format::count || item.table >= h.tables || item.columns == 0 || item.experts == 0 ||
      u64(item.first_source) + u64(item.sources) * item.experts > h.sources)
    return "has an index out of range";
  const LoadTable& table = plan.tables[item.table];
  const bool tiles = item.kind == ItemKind::tiles;
  if (!tiles && item.format != Format::f32 && item.format != Format::bf16) return "is a plain array of a scaled format";
  if (item.format == Format::e2m1 && (item.columns | item.first_column) % 32) return "cuts a block of 32 columns";
  if (tiles && (item.pages_per_tile == 0 || item.cells_per_tile == 0 || item.tiles_per_page == 0 || item.cells == 0 || item.units == 0 || table.count % 16 ||
                u64(item.cells) * item.cell_bytes > item.page_bytes || (item.page_bytes | item.image_at | item.expert_bytes) % 16 ||
                u64(item.pages) * item.tiles_per_page != u64(table.count / 16) * item.pages_per_tile))
    return "has pages that do not hold its tiles";
  if (item.expert_bytes < plan.item_bytes(item) || item.image_at > h.image_bytes || item.expert_bytes > (h.image_bytes - item.image_at) / item.experts)
    return "ends past the image";
  std::vector<LoadRow> last(item.sources, LoadRow{-1, -1, -1});
  for (u32 r = table.first; r < table.first + table.count; r++) {
    const LoadRow& row = plan.rows[r];
    if (row.source == -1) continue;
    if (row.source < 0 || u32(row.source) >= item.sources || row.row < 0 || row.scale_row < 0) return "has a row without a source";
    LoadRow& l = last[size_t(row.source)];
    l.row = std::max(l.row, row.row), l.scale_row = std::max(l.scale_row, row.scale_row);
  }
  for (u32 s = 0; s < item.sources * item.experts; s++)
    if (std::string wrong = check_source(plan, item, plan.sources[item.first_source + s], last[s % item.sources]); !wrong.empty()) return wrong;
  return "";
}
}  // namespace load_plan_detail

/** The plan in `bytes`, or what is wrong with it. `bytes` must be 8-byte aligned and outlive the plan. */
inline std::string load_plan_of(const char* bytes, u64 length, LoadPlan& plan) {
  using load_plan_detail::take;
  const char* at = bytes;
  const char* const end = bytes + length;
  if (!take(at, end, 1, plan.header)) return "is too short for its header";
  const LoadHeader& h = *plan.header;
  if (h.magic != load_plan_magic) return "does not start with TPL1";
  if (!take(at, end, h.files, plan.files) || !take(at, end, h.tables, plan.tables) || !take(at, end, h.rows, plan.rows) ||
      !take(at, end, h.sources, plan.sources) || !take(at, end, h.items, plan.items) || !take(at, end, h.string_bytes, plan.strings) || at != end)
    return "is not as long as its header says";
  for (u32 i = 0; i < h.files; i++)
    if (u64(plan.files[i].path) + plan.files[i].path_length > h.string_bytes) return "has a file name outside its strings";
  for (u32 i = 0; i < h.tables; i++)
    if (u64(plan.tables[i].first) + plan.tables[i].count > h.rows) return "has a table outside its rows";
  for (u32 i = 0; i < h.items; i++) {
    const LoadItem& item = plan.items[i];
    if (u64(item.name) + item.name_length > h.string_bytes) return "has an item name outside its strings";
    if (const std::string wrong = load_plan_detail::check_item(plan, item); !wrong.empty()) return "has an item '" + plan.item_name(item) + "' that " + wrong;
  }
  return "";
}

}  // namespace tile
