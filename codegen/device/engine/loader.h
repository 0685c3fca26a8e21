// Loads a rank's image: opens the checkpoint's files, gathers the rows that the load plan lists into staging memory, and
// has the node (host or CUDA) pack them where they belong.
//
// Vocabulary: a *chunk* is a run of whole tiles (or of rows of a plain item) that fits one staging buffer.
// Invariants: files are at least as long as the plan says before anything is read; the plan's indices were checked
// (load_plan.h). The node only ever sees staged rows, so it knows nothing of files, tables or shards.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "failure.h"
#include "synthetic.h"

namespace tile {

/** The files of a plan, mapped. */
class Files {
 public:
  Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  ~Files() {
    for (const Mapping& m : mapped_)
      if (m.bytes) munmap(m.at, m.bytes);
  }
  Failure open(const LoadPlan& plan) {
    for (u32 i = 0; i < plan.header->files; i++) {
      const LoadFile& file = plan.files[i];
      const std::string path = plan.text(file.path, file.path_length);
      const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) return Failure{"file", path + ": cannot be opened: " + std::strerror(errno)};
      struct stat status {};
      const bool known = fstat(fd, &status) == 0;
      const u64 bytes = known ? u64(status.st_size) : 0;
      Mapping m{nullptr, 0};
      if (known && bytes >= file.bytes && bytes > 0) {
        m = Mapping{mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0), bytes};
        if (m.at == MAP_FAILED) m.bytes = 0;
      }
      const std::string why = std::strerror(errno);
      close(fd);
      if (known && bytes < file.bytes)
        return Failure{"file", path + ": is truncated: it has " + std::to_string(bytes) + " bytes where its header promises " + std::to_string(file.bytes)};
      if (!m.bytes && bytes) return Failure{"file", path + ": cannot be mapped: " + why};
      mapped_.push_back(m);
    }
    return {};
  }
  const u8* at(u32 file, u64 offset) const { return static_cast<const u8*>(mapped_[file].at) + offset; }

 private:
  struct Mapping {
    void* at;
    u64 bytes;
  };
  std::vector<Mapping> mapped_;
};

/** How an item's rows lie in staging memory. */
struct StagedShape {
  u32 columns, scales_at, stride;
};
inline StagedShape staged_shape(const LoadItem& item) {
  if (item.kind == ItemKind::plain) {
    const u32 bytes = u32(source_columns_bytes(item.format, item.columns));
    return StagedShape{item.columns, bytes, bytes};
  }
  const u32 columns = u32(round_up(item.columns, 32));
  const u32 codes = u32(round_up(source_columns_bytes(item.format, columns), 4));
  const u32 scales = item.format == Format::e4m3   ? (ceil_div(int(item.first_column + item.columns), 128) - item.first_column / 128) * 4
                     : item.format == Format::e2m1 ? columns / 32
                                                   : 0;
  return StagedShape{columns, codes, u32(round_up(codes + scales, 16))};
}

inline void convert_row(Format from, Format to, const u8* in, u32 columns, u8* out) {
  if (from == to) {
    std::memcpy(out, in, source_columns_bytes(to, columns));
  } else if (from == Format::bf16) {
    for (u32 c = 0; c < columns; c++) store_u32(out + c * 4, (u32(in[c * 2]) | u32(in[c * 2 + 1]) << 8) << 16);
  } else {
    for (u32 c = 0; c < columns; c++) {
      const u16 bits = to_bf16(bits_to_f32(load_u32(in + c * 4))).bits;
      out[c * 2] = u8(bits), out[c * 2 + 1] = u8(bits >> 8);
    }
  }
}

inline void gather_scales(const Files& files, const LoadItem& item, const LoadSource& source, const LoadRow& row, u8* out) {
  const u8* from = files.at(source.scale_file, source.scale_at + u64(row.scale_row) * source.scale_row_bytes);
  if (item.format == Format::e4m3) {
    const u32 first = item.first_column / 128, last = u32(ceil_div(int(item.first_column + item.columns), 128));
    std::memcpy(out, from + first * 4, (last - first) * 4);
  } else if (item.format == Format::e2m1) {
    std::memcpy(out, from + item.first_column / 32, item.columns / 32);
  }
}

/** Which entry a row takes its scales from: its own, or for a row of zeros the nearest real one of its half tile. */
inline const LoadRow* scale_entry(const LoadRow* rows, u32 index) {
  if (rows[index].source >= 0) return rows + index;
  for (u32 i = index / 8 * 8; i < index / 8 * 8 + 8; i++)
    if (rows[i].source >= 0) return rows + i;
  return nullptr;
}

/** Rows [first, first + count) of an item from its files, as staged rows. `sources` are the expert's. */
inline void gather(const LoadPlan& plan, const Files& files, const LoadItem& item, const LoadSource* sources, u32 first, u32 count, u8* out) {
  const StagedShape shape = staged_shape(item);
  const LoadRow* rows = plan.rows + plan.tables[item.table].first;
  const bool scaled = item.format == Format::e4m3 || item.format == Format::e2m1;
  for (u32 r = first; r < first + count; r++, out += shape.stride) {
    const LoadRow& row = rows[r];
    std::memset(out, 0, shape.stride);
    if (row.source >= 0) {
      const LoadSource& source = sources[row.source];
      const u8* from = files.at(source.file, source.at + u64(row.row) * source.row_bytes + source_columns_bytes(source.format, item.first_column));
      if (scaled) std::memcpy(out, from, source_columns_bytes(item.format, item.columns));
      else convert_row(source.format, item.format, from, item.columns, out);
    }
    const LoadRow* scales = scaled ? scale_entry(rows, r) : nullptr;
    if (scales && (row.source >= 0 || item.format == Format::e4m3)) gather_scales(files, item, sources[scales->source], *scales, out + shape.scales_at);
  }
}

/** The same for synthetic sources: what to make of each row; the node makes them where it packs them. */
inline void recipes(const LoadPlan& plan, const LoadItem& item, const LoadSource* sources, u32 first, u32 count, Recipe* out) {
  const LoadRow* rows = plan.rows + plan.tables[item.table].first;
  const bool tiles = item.kind == ItemKind::tiles;
  for (u32 r = first; r < first + count; r++) {
    const LoadRow* scales = tiles ? scale_entry(rows, r) : rows + r;
    const LoadRow& row = rows[r].source >= 0 || !scales ? rows[r] : *scales;
    Recipe& recipe = out[r - first];
    recipe = Recipe{0, 0, 0, 0, 0, item.format, rows[r].source < 0};
    if (row.source < 0) continue;
    const LoadSource& source = sources[row.source];
    recipe = Recipe{source.seed, u32(row.row), u32(scales->scale_row), source.mean, source.amplitude, source.format, rows[r].source < 0};
  }
}

/** What loading `item` reports as progress. */
inline u64 staged_bytes(const LoadPlan& plan, const LoadItem& item) { return u64(item.experts) * plan.tables[item.table].count * staged_shape(item).stride; }

/** One expert of item `index` (the item itself, where there are no experts), chunk by chunk. */
template <class Node, class Progress>
Failure load_item(const LoadPlan& plan, const Files& files, u32 index, u32 expert, Node& node, Progress& progress) {
  const LoadItem& item = plan.items[index];
  const bool tiles = item.kind == ItemKind::tiles;
  const StagedShape shape = staged_shape(item);
  const u32 rows = plan.tables[item.table].count;
  const u32 step = tiles ? 16 * item.tiles_per_page : 1;
  const u64 fitting = Node::staging_bytes / std::max<u64>(shape.stride, sizeof(Recipe)) / step * step;
  if (fitting == 0) return Failure{"plan", plan.item_name(item) + ": one page's rows do not fit the staging memory"};
  const LoadSource* sources = plan.sources + item.first_source + u64(expert) * item.sources;
  const bool synthetic = item.sources > 0 && sources->kind == SourceKind::synthetic;
  const u64 image_at = item.image_at + expert * item.expert_bytes;
  for (u32 first = 0; first < rows; first += u32(fitting)) {
    const u32 count = std::min(rows - first, u32(fitting));
    u8* staging = nullptr;
    if (Failure failure = node.stage(item.rank, staging)) return failure;
    if (synthetic) recipes(plan, item, sources, first, count, reinterpret_cast<Recipe*>(staging));
    else gather(plan, files, item, sources, first, count, staging);
    Failure failure;
    if (tiles) {
      const PackJob job{StagedRows{nullptr, shape.stride, shape.columns, shape.scales_at, item.first_column},
                        item.format, first / 16, count / 16, item.page_bytes, item.cells, item.cell_bytes, item.units, item.pages_per_tile,
                        item.tiles_per_page, item.cells_per_tile, item.page_unit_stride, item.cell_unit_stride};
      failure = node.pack(item.rank, job, image_at, Place{index, expert}, synthetic, item.columns);
    } else {
      failure = node.place(item.rank, item, shape, image_at + u64(first) * shape.stride, count, synthetic);
    }
    if (failure) return failure;
    if (!progress(u64(count) * shape.stride)) return Failure{"stopped", "loading was stopped"};
  }
  return {};
}

/** Loads everything that belongs to `rank`. `progress(bytes)` may say stop (false). */
template <class Node, class Progress>
Failure load_rank(const LoadPlan& plan, const Files& files, u32 rank, Node& node, Progress progress) {
  for (u32 i = 0; i < plan.header->items; i++)
    for (u32 expert = 0; plan.items[i].rank == rank && expert < plan.items[i].experts; expert++)
      if (Failure failure = load_item(plan, files, i, expert, node, progress)) return failure;
  Place place{};
  Illegal illegal = Illegal::none;
  if (Failure failure = node.settle(rank, illegal, place)) return failure;
  if (illegal != Illegal::none) return Failure{"value", plan.item_name(plan.items[place.item], place.expert) + ": contains " + illegal_text(illegal)};
  return {};
}

}  // namespace tile
