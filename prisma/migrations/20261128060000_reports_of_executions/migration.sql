-- AlterTable
ALTER TABLE "imports" ADD COLUMN     "tool" TEXT,
ADD COLUMN     "unread_paths" TEXT[] DEFAULT ARRAY[]::TEXT[];
