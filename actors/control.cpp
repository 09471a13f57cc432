#include "actors/control.h"

#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>

namespace hone::control {
namespace {

constexpr caf::atom_value kCategory = caf::atom("hone");

}  // namespace

caf::error ToCaf(const std::exception_ptr& exception) {
  Death death;
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    death = {error.code(), error.what()};
  } catch (const std::exception& error) {
    death.text = error.what();
  } catch (...) {
    death.text = "an exception of unknown type";
  }
  return caf::error(static_cast<uint8_t>(death.code), kCategory, caf::make_message(death.text));
}

Death FromCaf(const caf::error& reason) {
  if (!reason) return {ExitCode::kRunFailed, "it ended by itself"};
  if (reason.category() == kCategory) {
    return {static_cast<ExitCode>(reason.code()), reason.context().get_as<std::string>(0)};
  }
  if (reason == caf::exit_reason::kill) return {ExitCode::kRunFailed, "it was killed"};
  return {ExitCode::kRunFailed, "it ended with error " + std::to_string(reason.code()) + " of " +
                                    caf::to_string(reason.category())};
}

}  // namespace hone::control
